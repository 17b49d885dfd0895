"""What a service refuses, in the user's words. It stands in the lowest app so that every service can use it."""


class Refused(Exception):
    """The base of every refusal that a page shows as it is. Its text is a sentence for the person at the desk."""
