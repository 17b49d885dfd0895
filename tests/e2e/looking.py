"""One page as it stands, looked at by axe on a wide and a narrow screen, in the light and in the dark."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# Only colours change with the light, so that in the dark they alone are looked at again.
COLOURS = {"resultTypes": ["violations"], "runOnly": ["color-contrast", "link-in-text-block"]}
EVERYTHING = {"resultTypes": ["violations"]}


def findings(page: Page) -> list[str]:
    """What axe finds in both lights on both screens, and whether anything has to be scrolled sideways."""
    found = []
    page.evaluate(Axe().axe_script)
    for screen in (WIDE, NARROW):
        page.set_viewport_size(screen)
        for light, options in (("light", EVERYTHING), ("dark", COLOURS)):
            page.emulate_media(color_scheme=light, reduced_motion="reduce")
            # The theme follows a change of the light in a script of its own.
            page.wait_for_function("light => document.documentElement.dataset.bsTheme === light", arg=light)
            violations = page.evaluate("options => axe.run(document, options)", options)["violations"]
            where = f"{screen['width']} {light}"
            found += [f"{where}: {each['id']}: {node['html'][:160]}" for each in violations for node in each["nodes"]]
        if page.evaluate("document.documentElement.scrollWidth") > screen["width"]:
            found.append(f"{screen['width']}: wider than the screen")
    page.set_viewport_size(WIDE)
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    return found
