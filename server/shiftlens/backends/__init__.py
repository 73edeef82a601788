"""What can score tokens beside a model in this process: the protocol, and room for its kinds (model servers and such).

No torch here: a backend takes ids and gives columns of numbers. Its texts are turned into ids by `scoring`.
"""
