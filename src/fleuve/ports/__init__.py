"""What the domain needs from outside, one file for each aggregate."""
