import sys
from pathlib import Path

# The toy parts must be importable by name, as a user's own are.
sys.path.insert(0, str(Path(__file__).parent))
