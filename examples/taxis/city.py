"""The city: its zones on the map, and how many people want a taxi where, by the time of day."""

from __future__ import annotations

from examples.shared.chance import bump

RIVER = ""
MAP = (
    ("Hills", "Northgate", "University", RIVER, "Stadium", "Airport"),
    ("Riverside", "Gallery", "Old Town", RIVER, "Station", "Docks"),
    ("Westend", "Bazaar", "Centre", "Viaduct", "Exchange", "Harbour"),
    ("Meadows", "Orchard", "Clinic", RIVER, "Opera", "Beach"),
)
PLACES = {zone: (column, row) for row, zones in enumerate(MAP) for column, zone in enumerate(zones) if zone}
ZONES = tuple(PLACES)

HOMES = {"Hills", "Riverside", "Westend", "Meadows", "Orchard", "Northgate"}
OFFICES = {"Centre", "Exchange", "University", "Clinic", "Docks"}
NIGHTS = {"Old Town", "Opera", "Harbour", "Bazaar", "Beach"}
# Trains and planes come in waves; the rest has a little of everything.
ARRIVALS = {"Station": 20, "Airport": 30}
MATCH_ENDS_AT = 21.75


def requests_per_minute(zone: str, hour: float) -> float:
    """Return how many people want a taxi."""
    if zone in HOMES:
        return 0.12 + 1.2 * bump(hour, 8, 1.2) + 0.7 * bump(hour, 19.5, 1.5)
    if zone in OFFICES:
        return 0.1 + 0.4 * bump(hour, 12.5, 1.5) + 1.9 * bump(hour, 17.7, 1.3)
    if zone in NIGHTS:
        return 0.1 + 0.5 * bump(hour, 13, 2) + 2.0 * bump(hour, 23.5, 2)
    if zone in ARRIVALS:
        waves = 1.6 if hour * 60 % ARRIVALS[zone] < 6 else 0.3
        return waves * (0.2 + bump(hour, 9, 3) + bump(hour, 18, 4))
    if zone == "Stadium":
        return 0.05 + 7.0 * bump(hour, MATCH_ENDS_AT, 0.35)
    return 0.2 + 0.6 * bump(hour, 15, 4)


def attraction(zone: str, hour: float) -> float:
    """Return how many want to go there: in the morning to work, in the evening out, and home later."""
    if zone in HOMES:
        return 0.4 + 2.0 * bump(hour, 18, 2) + 2.5 * bump(hour, 0.5, 2.5)
    if zone in OFFICES:
        return 0.3 + 3.0 * bump(hour, 8.3, 1.5) + 0.8 * bump(hour, 14, 2)
    if zone in NIGHTS:
        return 0.4 + 2.5 * bump(hour, 20, 2)
    if zone == "Stadium":
        return 0.1 + 4.0 * bump(hour, 19, 0.7)
    return 0.8


def minutes_between(one: str, other: str) -> float:
    """Return how long a ride takes on a good day."""
    (x, y), (to_x, to_y) = PLACES[one], PLACES[other]
    return 4 + 3 * (abs(x - to_x) + abs(y - to_y))
