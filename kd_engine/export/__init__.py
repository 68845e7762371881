"""The student, ready to ship: files that other programs run without this project.

portable   the student as one module with its normalisation inside
program    as a `torch.export` program
onnx       as an ONNX model that says its classes and checks itself against PyTorch
int8       the same with 8-bit weights and activations
predict    the script that scores a folder of pictures with onnxruntime and Pillow alone (shipped as it is)
card       the model card
ship       all of them for a finished run
"""
