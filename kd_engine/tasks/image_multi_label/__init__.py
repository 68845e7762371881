"""An image has several classes, one or none: a yes or no for each, by binary cross-entropy.

task                   what the others of this folder are put together to
scores                 what a network said of each image and class
metrics                average precision, F1 and calibration, with what each image adds to them
precision_recall_plot  a curve a class as a picture
predict_script         published as `predict.py`
"""
