"""What prepares a network for int8, on the framework's side: ranges, simulation, islands."""
