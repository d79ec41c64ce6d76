"""From an original to what is published: tasks, who claims them, and what each does."""
