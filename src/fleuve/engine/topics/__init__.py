"""Topics and their configs: names, counts, creation, deletion, which value of a setting is in force."""
