"""The commands: typer and rich live here and nowhere else."""
