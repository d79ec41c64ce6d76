"""What the tasks of a job do: from an original to what is published."""
