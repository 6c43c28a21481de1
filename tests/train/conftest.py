import sys
from pathlib import Path

# What several tests of trainings share is imported by name.
sys.path.insert(0, str(Path(__file__).parent))
