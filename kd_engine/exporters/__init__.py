"""The student for other programs: files that run without this project, a form a module, a row in the catalogue each.

base          what an exporter is, and what it is given
portable      the student as one module with its normalisation inside, and its graph
torch_export  as a `torch.export` program
onnx          as an ONNX model that says its classes
onnx_int8     the same with 8-bit weights and activations
run           all of them for a finished run, compared with PyTorch or measured
"""
