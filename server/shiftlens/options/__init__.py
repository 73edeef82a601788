"""What a user can choose: the table of settings, pairs, scoring options. No view has options of its own."""
