"""Taxi positions and rides → windowed demand and a surge price by zone."""
