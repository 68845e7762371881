"""The modality: how pictures are decoded, kept, normalised and augmented.

decode          files to uint8 tensors
decode_cache    decoded pictures on disk, mapped into memory
normalisation   mean and standard deviation of the channels
file_kinds      what the files of a folder are
augmentations/  one augmentation a file
"""
