"""What runs beside requests and tasks: finding what was lost, sweeping, telling how things are."""
