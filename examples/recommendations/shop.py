"""What the shop sells, and what goes together: known to the world, learnt by the recommender."""

from __future__ import annotations

SHELVES = {
    "photo": ("Camera", "Zoom lens", "Tripod", "Camera bag", "Memory card", "Flash"),
    "coffee": ("Espresso machine", "Coffee grinder", "Coffee beans", "Milk jug", "Cups", "Kettle"),
    "camping": ("Tent", "Sleeping bag", "Camp stove", "Head torch", "Backpack", "Water filter"),
    "cycling": ("Road bike", "Helmet", "Bike lock", "Pump", "Bike light", "Gloves"),
    "kitchen": ("Chef's knife", "Frying pan", "Cutting board", "Stock pot", "Kitchen scale", "Apron"),
    "garden": ("Rose bush", "Spade", "Watering can", "Seeds", "Hedge shears", "Compost"),
    "music": ("Guitar", "Strings", "Tuner", "Amplifier", "Headphones", "Music stand"),
    "office": ("Desk", "Chair", "Monitor", "Keyboard", "Mouse", "Desk lamp"),
}
ITEMS = tuple(item for shelf in SHELVES.values() for item in shelf)
SHELF_OF = {item: shelf for shelf, items in SHELVES.items() for item in items}
# What people look for on another shelf.
BRIDGES = {
    "Camera bag": "Backpack",
    "Backpack": "Camera bag",
    "Head torch": "Bike light",
    "Bike light": "Head torch",
    "Coffee beans": "Kitchen scale",
    "Kitchen scale": "Coffee beans",
    "Camp stove": "Kettle",
    "Kettle": "Camp stove",
    "Headphones": "Monitor",
    "Monitor": "Headphones",
    "Gloves": "Hedge shears",
    "Hedge shears": "Gloves",
}


def companions(item: str) -> tuple[str, ...]:
    """Return what people look at after an item, the likeliest first."""
    shelf = SHELVES[SHELF_OF[item]]
    place = shelf.index(item)
    near = (shelf[(place + 1) % len(shelf)], shelf[place - 1], shelf[(place + 2) % len(shelf)])
    return (*near, BRIDGES[item]) if item in BRIDGES else near
