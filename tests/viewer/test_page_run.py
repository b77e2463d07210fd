"""The page of a training run in a browser: curves, a live run, validation pictures."""

import csv
import shutil

import pytest

from .accessibility import serious_faults
from .servers import serving

pytestmark = pytest.mark.web


@pytest.fixture
def followed(browser, trained_run, tmp_path):
    """A page of a copy of the run that is still at its second step, and the copy."""
    copy = tmp_path / "a run"
    shutil.copytree(trained_run, copy)
    for name in ("training.csv", "validation.csv"):
        lines = (copy / name).read_text().splitlines(keepends=True)
        (copy / name).write_text("".join(line for line in lines if line[0] not in "34"))
    with serving([copy]) as server:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(server.url)
        page.wait_for_selector(".run-state:has-text('step 2 of 4')")
        yield page, copy
        context.close()
        assert errors == []


def test_a_live_run_is_followed(followed, trained_run):
    page, copy = followed
    assert "a run" in page.inner_text(".run-head h2")
    loss = page.locator(".chart", has_text="Loss")
    before = loss.locator("path.chart-line").first.get_attribute("d")
    for name in ("training.csv", "validation.csv"):
        shutil.copy(trained_run / name, copy / name)
    page.wait_for_selector(".run-state:has-text('finished')", timeout=15_000)
    assert loss.locator("path.chart-line").first.get_attribute("d") != before
    with (copy / "training.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    assert f"{float(last['loss']):.4g}" in loss.locator("figcaption").inner_text()


def test_the_read_out_tells_what_the_file_holds(followed):
    page, copy = followed
    with (copy / "training.csv").open() as file:
        first = next(csv.DictReader(file))
    plot = page.locator(".chart", has_text="Loss").locator(".chart-plot")
    plot.focus()
    for _ in range(12):
        page.keyboard.press("Shift+ArrowLeft")  # to the first step
    said = page.locator(".chart", has_text="Loss").locator("p")
    assert said.inner_text().startswith("step 1: ") or said.text_content().startswith("step 1: ")
    assert f"{float(first['loss']):.4g}" in said.text_content()


def test_validation_pictures_by_name_and_step(followed):
    page, _ = followed
    picture = page.locator(".crops-picture")
    page.wait_for_function("() => document.querySelector('.crops-picture').naturalWidth === 144")
    assert "step=4" in picture.get_attribute("src")  # the newest
    page.get_by_label("Step", exact=True).press("ArrowLeft")
    assert "step=2" in picture.get_attribute("src")
    page.get_by_label("Picture", exact=True).select_option(index=1)
    page.wait_for_function("() => document.querySelector('.crops-picture').complete")
    assert page.get_by_label("Picture", exact=True).input_value() in picture.get_attribute("alt")


@pytest.mark.parametrize("width", [360, 1280, 3840])
def test_it_fits_and_has_no_serious_fault(followed, width):
    page, _ = followed
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert serious_faults(page) == []


ROWS = [(10, 0.05), (20, 0.025), (30, None), (40, 0.02), (50, None), (60, 0.015), (70, 0.0125)]


def test_gaps_single_points_and_constants_can_be_read(browser, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    lines = [f"{step},{step},{step},25,0.0001,{'nan' if loss is None else loss}" for step, loss in ROWS]
    (run / "training.csv").write_text("\n".join(["step,pairs,seconds,pairs_per_second,learning_rate,loss", *lines, ""]))
    psnrs = [f"{step},{name},24,{psnr}" for step, psnr in ((20, 24.5), (40, "nan"), (60, 25.5)) for name in "ab"]
    (run / "validation.csv").write_text("\n".join(["step,picture,psnr_input,psnr", *psnrs, ""]))
    with serving([run]) as server:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        page.goto(server.url)
        page.wait_for_selector(".run-state:has-text('step 70')")
        loss, psnr, other = (page.locator(".chart", has_text=title) for title in ("Loss", "PSNR", "Training"))
        assert loss.locator(".chart-dot").count() == 1  # step 40, between two gaps
        assert loss.locator("path.chart-line").get_attribute("d").count("L") == 2
        assert psnr.locator(".chart-dot.hue-1:not(.faint)").count() == 2  # nothing joins steps 20 and 60
        ticks = other.locator(".chart-y").all_text_contents()
        assert len(ticks) >= 3
        assert len(set(ticks)) == len(ticks)
        sizes = page.locator(".chart-y").evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().height)")
        assert max(sizes) - min(sizes) < 0.5
        loss.locator(".chart-plot").hover()
        assert "step 40" in loss.locator("figcaption").inner_text()
        assert "step" not in loss.locator(".chart-plot").text_content()
        card, switch = (
            page.locator(".run-charts > div").first.bounding_box(),
            page.get_by_label("Logarithmic").bounding_box(),
        )
        assert card["x"] + card["width"] - switch["x"] - switch["width"] < 24
        context.close()
