"""What users send, looked at before it is believed: format by content, archives with suspicion, every picture decoded.

formats           which format a file is of, by its first bytes
archive           zip and tar: bounded, nothing that leads out, nothing but plain files
confined_process  a reader in a process of its own, with so much memory and time
parquet           a parquet table, or several as one
webdataset        tars of samples
folder_layout     which split and class a file of an archive belongs to
label_list        lists beside pictures: list_rows reads them, list_columns and list_match say what they mean
list_layout       the same for the pictures of an archive, by its folders or by such lists
inspect_image     one picture: decoded, measured, hashed
images            an archive of pictures, checked and written anew
arrays            the same for numpy arrays
contact_sheet     a page of thumbnails
onnx_file         an ONNX model; weights_file: weights of a catalogue network; logits_file: recorded answers
verify_model      a network that was sent, on the data set that it is for
"""
