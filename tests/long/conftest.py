# SPDX-License-Identifier: MIT
"""Long tests are made of what the mount tests are made of."""

import importlib.util
import pathlib
import sys

MOUNT = pathlib.Path(__file__).resolve().parents[1] / "mount"
sys.path.insert(0, str(MOUNT))
spec = importlib.util.spec_from_file_location("mount_conftest", MOUNT / "conftest.py")
fixtures = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fixtures)
globals().update({k: v for k, v in vars(fixtures).items() if not k.startswith("__")})
