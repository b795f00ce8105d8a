"""The hooks of this program in the settings of agents: where they are, how they get there, what is wrong with them."""
