#!/bin/sh
# tensorboardX 2.6.5: importing it imports boto3 wherever that happens to be installed.
#
# Expected: a writer of TensorBoard's event files needs protobuf and numpy; a cloud client is imported when a
#   path asks for it.
# Seen: `import tensorboardX` imports boto3, with all of botocore, when it is installed for whatever other reason, though
#   every log goes to a local folder. A test helper that brings boto3 along makes each training process start later.
# What to do: import tensorboardX late, where the logs are written; keep boto3 out of the environment of trainers.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    tensorboardX==2.6.5 numpy==2.4.6 protobuf==7.35.1
look='import sys, tensorboardX; print(sorted({name.split(".")[0] for name in sys.modules} & {"boto3", "botocore"}))'
without=$("$folder/venv/bin/python" -c "$look")
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check boto3==1.44.5
with=$("$folder/venv/bin/python" -c "$look")
echo "tensorboardX 2.6.5 alone imports $without; where boto3 1.44.5 is installed: $with"
test "$without" = "[]"
test "$with" = "['boto3', 'botocore']" || { echo "changed: boto3 is no longer imported"; exit 1; }
