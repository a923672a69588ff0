"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# No timing asserted: a busy machine is not a failure, and neither is data that takes long to draw.
settings.register_profile("fleuve", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fleuve")
