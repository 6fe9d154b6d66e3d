"""What Tributary's speed is measured by: each figure beside what it is compared with, in one run."""
