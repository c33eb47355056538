"""The folder of manifests of an operator: the product's own, and some more."""
import atexit
import json
import os
import shutil
import tempfile

from harness import SRC


def providers_with(*more):
    """A folder for CONNECT_PROVIDERS_DIR with the product's manifests and these beside them, each a manifest (a dict) or
    the path of one. It goes when the test ends."""
    folder = tempfile.mkdtemp(prefix="connect-providers-")
    atexit.register(shutil.rmtree, folder, True)
    for name in os.listdir(os.path.join(SRC, "providers")):
        if name.endswith(".json"):
            shutil.copy(os.path.join(SRC, "providers", name), folder)
    for one in more:
        if isinstance(one, dict):
            with open(os.path.join(folder, one["name"] + ".json"), "w", encoding="utf-8") as f:
                json.dump(one, f)
        else:
            shutil.copy(one, folder)
    return folder
