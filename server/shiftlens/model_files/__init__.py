"""What the files of a model tell without loading it. No torch: the server asks too."""
