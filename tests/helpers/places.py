"""Where tests find what is not beside them."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "VoicebankDEMAND" / "SEMamba"
#: Numbers that the official implementation computed
OFFICIAL = ROOT / "tests" / "reference" / "official.pt"
