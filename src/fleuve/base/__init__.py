"""Words everybody may use: ids, the root error and its verdict, the clock, the type of a setting."""
