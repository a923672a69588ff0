"""What commands print: data on standard output, as tables for people or JSON for programs, the rest beside it."""
