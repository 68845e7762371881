"""What is measured of a finished network.

details        all of it, as the report has it
evaluate_file  a network file, measured again on a data set
"""
