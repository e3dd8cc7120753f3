"""How a person works the page: with a mouse, or with a keyboard alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from playwright.sync_api import Locator, Page

MOST_TABS: Final = 250


class Hands(Protocol):
    """One way to do what a page is there for."""

    def press(self, control: Locator) -> None:
        """Have a button, a link or a box do what it does."""

    def fill(self, control: Locator, text: str) -> None:
        """Write into a field."""

    def choose(self, control: Locator, option: str) -> None:
        """Choose from a list by what is shown."""

    def send(self, control: Locator) -> None:
        """Send the form that a button is of."""


class Mouse:
    """By pointing."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, control: Locator) -> None:
        control.click()

    def fill(self, control: Locator, text: str) -> None:
        control.click()
        control.fill(text)

    def choose(self, control: Locator, option: str) -> None:
        control.select_option(label=option)

    def send(self, control: Locator) -> None:
        control.click()


class Keys:
    """By keys alone: what is to be used is reached with the tabulator."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, control: Locator) -> None:
        kind = self._reach(control)
        self.page.keyboard.press("Space" if kind == "checkbox" else "Enter")

    def fill(self, control: Locator, text: str) -> None:
        self._reach(control)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(text)

    def choose(self, control: Locator, option: str) -> None:
        self._reach(control)
        self.page.keyboard.press("Home")
        while control.evaluate("one => one.selectedOptions[0].label") != option:
            self.page.keyboard.press("ArrowDown")

    def send(self, control: Locator) -> None:
        control.wait_for()
        self.page.keyboard.press("Control+Enter")

    def _reach(self, control: Locator) -> Any:
        """Go on to it; what kind of input it is."""
        control.wait_for()
        for _ in range(MOST_TABS):
            if control.evaluate("one => one === document.activeElement"):
                return control.get_attribute("type")
            self.page.keyboard.press("Tab")
        raise AssertionError(f"no way leads to {control}")


HANDS: Final[Mapping[str, Callable[[Page], Hands]]] = {"mouse": Mouse, "keys": Keys}
