"""Pages in a real browser: they are drawn, answer to a click, fetch nothing, and fit phones, paper and both grounds."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, browser
from report_helpers import write_reproduction, write_run, write_sweep
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from anabranch.report.draw import draw, draw_several

KINDS = ("run", "simulation", "reproduction", "comparison")
DRAWN = """
[...document.querySelectorAll('.chart')].map((chart) => ({
  id: chart.id,
  traces: chart.querySelectorAll('.scatterlayer .trace, .barlayer .trace, .heatmaplayer .hm').length,
  width: chart.querySelector('svg.main-svg') ? chart.querySelector('svg.main-svg').getBoundingClientRect().width : 0,
  shapes: [...chart.querySelectorAll('.scatterlayer path, .barlayer path, .heatmaplayer image')]
    .filter((shape) => shape.getBoundingClientRect().width > 0 || shape.getBoundingClientRect().height > 0).length,
}))
"""
COLOURS = """
(() => {
  const chart = document.querySelector('.chart');
  return {
    ground: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.body).color,
    text: getComputedStyle(chart.querySelector('.xtick text, .ytick text')).fill,
    line: getComputedStyle(chart.querySelector('.scatterlayer path.js-line, .barlayer path')).stroke,
  };
})()
"""
CUT = """
[...document.querySelectorAll('.chart .main-svg text, .chart .main-svg .legend')].filter((text) => {
  const box = text.getBoundingClientRect(), chart = text.closest('.chart').getBoundingClientRect();
  return box.width && (box.left < chart.left - 1 || box.right > chart.right + 1 || box.top < chart.top - 1
    || box.bottom > chart.bottom + 1);
}).map((text) => text.textContent)
"""


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    runs = [write_run(folder / "run"), write_run(folder / "other run", strategy="downpour")]
    return {
        "run": draw(runs[0]),
        "simulation": draw(write_sweep(folder / "sweep")),
        "reproduction": draw(write_reproduction(folder / "paper")),
        "comparison": draw_several(runs, folder / "both.html"),
    }


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("kind", KINDS)
def test_every_chart_is_drawn_and_nothing_is_amiss(
    window: Browser, pages: dict[str, Path], kind: str, width: int
) -> None:
    window.said(), window.fetched()
    window.open(pages[kind], width, theme="dark" if width == 390 else "light")
    charts = window.ask(DRAWN)
    assert charts
    for chart in charts:
        assert chart["traces"] > 0, chart
        assert chart["shapes"] > 0, chart
        assert 200 < chart["width"] <= width, chart
    assert window.ask(CUT) == []
    assert window.ask("document.documentElement.scrollWidth") <= width
    assert window.ask("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert window.said() == []
    assert window.fetched() == [pages[kind].as_uri()]


def test_a_click_on_the_legend_takes_a_line_away_and_back(window: Browser, pages: dict[str, Path]) -> None:
    window.open(pages["run"])
    shown = "document.querySelectorAll('#steps .scatterlayer .trace').length"
    assert window.ask(shown) == 2
    toggle = window.driver.find_element(By.CSS_SELECTOR, "#steps .legend .traces:nth-of-type(2) .legendtoggle")
    toggle.click()
    wait_for(window, f"{shown} === 1")
    assert window.ask("document.getElementById('steps').data[1].visible") == "legendonly"
    window.driver.find_element(By.CSS_SELECTOR, "#steps .legend .traces:nth-of-type(2) .legendtoggle").click()
    wait_for(window, f"{shown} === 2")
    assert window.said() == []


def test_the_button_turns_page_and_charts_dark_and_keeps_what_was_chosen(
    window: Browser, pages: dict[str, Path]
) -> None:
    window.open(pages["run"])
    light = window.ask(COLOURS)
    button = window.driver.find_element(By.ID, "theme")
    assert (button.text, button.get_attribute("aria-label")) == ("Dark", "Show the page in dark colours")
    button.send_keys(Keys.ENTER)  # the keyboard will do
    wait_for(window, "document.documentElement.dataset.theme === 'dark'")
    dark = window.ask(COLOURS)
    assert button.text == "Light"
    assert all(light[name] != dark[name] for name in light), (light, dark)
    window.open(pages["run"], theme="dark")
    assert window.ask(COLOURS) == dark
    assert window.said() == []


def test_the_system_s_change_of_theme_is_followed(window: Browser, pages: dict[str, Path]) -> None:
    window.open(pages["run"])
    light = window.ask(COLOURS)
    media = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    window.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    wait_for(window, "document.getElementById('theme').textContent === 'Light'")
    assert window.ask(COLOURS)["text"] != light["text"]


def test_numbers_unfold_by_keyboard_and_the_skip_link_leads_to_the_content(
    window: Browser, pages: dict[str, Path]
) -> None:
    window.open(pages["run"])
    window.driver.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    assert window.ask("document.activeElement.className") == "skip"
    window.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert window.ask("document.activeElement.id") == "main"
    table = "#curve-1 + details table"
    assert not window.driver.find_element(By.CSS_SELECTOR, table).is_displayed()
    window.driver.find_element(By.CSS_SELECTOR, "#curve-1 + details summary").send_keys(Keys.ENTER)
    wait_for(window, f"document.querySelector('{table}').checkVisibility()")


@pytest.mark.parametrize("kind", ["run", "simulation"])
def test_on_paper_it_is_light_and_charts_are_as_wide_as_the_page(
    window: Browser, pages: dict[str, Path], kind: str
) -> None:
    window.open(pages[kind], theme="dark")
    note = "window.addEventListener('beforeprint', () => { window.printed = arguments[0](); });"
    measure = "() => [...document.querySelectorAll('.chart svg.main-svg')].map((svg) => svg.clientWidth)"
    window.driver.execute_script(note.replace("arguments[0]", f"({measure})"))
    document = window.pdf()
    assert document.startswith(b"%PDF")
    assert document.count(b"/Type /Page\n") + document.count(b"/Type /Page ") > 1
    printed = window.ask("window.printed")
    assert printed
    assert set(printed) == {640}  # A4 less its margins is 672 pixels wide
    wait_for(window, "[...document.querySelectorAll('.chart')].every((chart) => chart.layout.autosize)")
    assert window.ask(DRAWN)[0]["width"] != 640
    assert window.said() == []


def wait_for(window: Browser, condition: str) -> None:
    """Wait until a condition holds in the page; a chart is drawn anew by and by."""
    WebDriverWait(window.driver, 20).until(lambda _: window.ask(condition))
