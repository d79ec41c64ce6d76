"""What mediaflow knows about media, jobs and states: values and pure rules. Standard library only."""
