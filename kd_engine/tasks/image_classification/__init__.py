"""Each image has one class: cross-entropy, accuracy, and what goes wrong with which class.

task            what the others of this folder are put together to
scores          what a network said of each image
metrics         numbers made of that
confusion_plot  the confusion matrix as a picture
predict_script  published as `predict.py`
"""
