"""The student, ready to ship: files that other programs run without this project.

portable      the student as one module with its normalisation inside
torch_export  as a `torch.export` program
onnx          as an ONNX model that says its classes and checks itself against PyTorch
onnx_int8     the same with 8-bit weights and activations
run           all of them for a finished run
"""
