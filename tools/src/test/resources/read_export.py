"""Reads an exported conversation by the safetensors format's rules alone; shares no code with Gatun.

Prints a line for each tensor: name, type, shape, and the sum of its values as doubles in order.
Any breach of the format ends it with exit code 1.
"""

import json
import struct
import sys


def fail(why):
    print("not safetensors:", why)
    sys.exit(1)


def values(dtype, raw):
    if dtype == "F32":
        return struct.unpack("<%df" % (len(raw) // 4), raw)
    if dtype == "F16":
        return struct.unpack("<%de" % (len(raw) // 2), raw)
    if dtype == "BF16":
        halves = struct.unpack("<%dH" % (len(raw) // 2), raw)
        return struct.unpack("<%df" % len(halves), struct.pack("<%dI" % len(halves), *(h << 16 for h in halves)))
    if dtype == "I32":
        return struct.unpack("<%di" % (len(raw) // 4), raw)
    if dtype == "I64":
        return struct.unpack("<%dq" % (len(raw) // 8), raw)
    fail("type " + dtype)


SIZES = {"F32": 4, "F16": 2, "BF16": 2, "I32": 4, "I64": 8}

with open(sys.argv[1], "rb") as file:
    content = file.read()
(length,) = struct.unpack_from("<Q", content, 0)
if length > 100_000_000 or 8 + length > len(content):
    fail("header length")
header = json.loads(content[8 : 8 + length].decode("utf-8"))
data = content[8 + length :]
metadata = header.pop("__metadata__")
if not all(isinstance(v, str) for v in metadata.values()):
    fail("metadata that is not text")
print("metadata", metadata["format"], metadata["version"], metadata["tokens"], metadata["fingerprint"])
at = 0
for name, tensor in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
    begin, end = tensor["data_offsets"]
    count = 1
    for extent in tensor["shape"]:
        count *= extent
    if begin != at or end - begin != count * SIZES[tensor["dtype"]]:
        fail("offsets of " + name)
    at = end
    total = 0.0
    for value in values(tensor["dtype"], data[begin:end]):
        total += value
    print(name, tensor["dtype"], tensor["shape"], repr(total))
if at != len(data):
    fail("bytes behind the last tensor")
