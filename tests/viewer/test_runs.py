"""Training runs on the page: tables that grow, that are cut and written anew, and validation pictures."""

import csv
import io
import os

import httpx
from PIL import Image

from lfdeblur_models.viewer.runs.log import ValidationPictures, read_rows, seconds_since_change, steps_of

from .servers import serving


def test_rows_that_are_written_meanwhile(tmp_path):
    path = tmp_path / "training.csv"
    assert read_rows(path, "").columns == []
    path.write_text("step,lo")
    assert (read_rows(path, "").columns, read_rows(path, "").place) == ([], "")  # a header that is being written
    path.write_text("step,loss\n1,0.5\n2,na")
    first = read_rows(path, "")
    assert (first.columns, first.rows, first.fresh) == (["step", "loss"], [[1.0, 0.5]], True)
    with path.open("a") as file:
        file.write('n\n3,"a,b"\n4\n')
    second = read_rows(path, first.place)
    assert (second.rows, second.fresh) == ([[2.0, None], [3.0, "a,b"]], False)  # no NaN in JSON; a short row is none
    again = read_rows(path, second.place)
    assert (again.rows, again.fresh, again.place) == ([], False, second.place)


def test_a_table_that_was_written_anew_is_read_from_its_start(tmp_path):
    path = tmp_path / "training.csv"
    path.write_text("step,loss\n" + "".join(f"{i},1\n" for i in range(9)))
    place = read_rows(path, "").place
    path.write_text("step,loss\n0,1\n")  # the same file, shorter
    assert (len(read_rows(path, place).rows), read_rows(path, place).fresh) == (1, True)
    other = tmp_path / "other"
    other.write_text("step,loss\n" + "".join(f"{i},2\n" for i in range(20)))
    place = read_rows(path, "").place
    os.replace(other, path)
    assert (len(read_rows(path, place).rows), read_rows(path, place).fresh) == (20, True)
    for nonsense in ("x", ":", "1:2:3", f"{os.stat(path).st_ino}:999999", f"{os.stat(path).st_ino}:-1"):
        assert len(read_rows(path, nonsense).rows) == 20


def test_what_a_run_wrote(trained_run):
    with serving([trained_run]) as server:
        told = httpx.get(server.url + "/api/runs/run-1").json()
        picture = told["pictures"][0]
        answer = httpx.get(server.url + "/api/runs/run-1/picture", params={"name": picture["name"], "step": 4})
        missing = httpx.get(server.url + "/api/runs/run-1/picture", params={"name": picture["name"], "step": 3})
        nonsense = httpx.get(server.url + "/api/runs/run-1/picture", params={"name": "0", "step": "last"})
        places = {name: told[name]["place"] for name in ("training", "validation")}
        later = httpx.get(server.url + "/api/runs/run-1", params=places).json()
        other = httpx.get(server.url + "/api/runs/run-2")
    for name in ("training", "validation"):
        with (trained_run / f"{name}.csv").open() as file:
            written = list(csv.DictReader(file))
        columns = told[name]["columns"]
        assert columns == list(written[0])
        assert [row[0] for row in told[name]["rows"]] == [float(row["step"]) for row in written]
        assert (later[name]["rows"], later[name]["fresh"]) == ([], False)
    assert (told["steps"], told["changed"] < 600) == (4, True)
    assert (len(told["pictures"]), picture["steps"]) == (2, [2, 4])
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.size == (3 * 48, 40)  # defocused, restored, sharp
    assert (missing.status_code, "at step 3" in missing.json()["error"]) == (422, True)
    assert (nonsense.status_code, "step: got 'last'" in nonsense.json()["error"]) == (422, True)
    assert other.status_code == 404


def test_pictures_of_a_file_that_is_cut_or_damaged(trained_run, tmp_path):
    (written,) = (trained_run / "tensorboard").glob("events*")
    data = written.read_bytes()
    (tmp_path / "tensorboard").mkdir()
    copy = tmp_path / "tensorboard" / written.name
    copy.write_bytes(data[: len(data) // 2])
    pictures = ValidationPictures(tmp_path)
    before = pictures.names()
    copy.write_bytes(data)  # it grew
    assert pictures.names() == ValidationPictures(trained_run).names()
    assert before != pictures.names()
    for damage in (data[:100] + bytes(50) + data[150:], b"\xff" * 500, b""):
        copy.write_bytes(damage)
        ValidationPictures(tmp_path).names()  # whatever is there, no error


def test_folders_that_tell_nothing(tmp_path):
    assert (steps_of(tmp_path), seconds_since_change(tmp_path), ValidationPictures(tmp_path).names()) == (
        None,
        None,
        [],
    )
    for text in ("", "[]", '{"run": 3}', '{"run": {"steps": "many"}}'):
        (tmp_path / "recipe.json").write_text(text)
        assert steps_of(tmp_path) is None


def test_tables_that_are_damaged(tmp_path):
    path = tmp_path / "training.csv"
    path.write_text('step,loss\n1,2\n"3,4\n5,6\n' + "7," + "9" * 200_000 + "\n8,1\n")
    assert [row[0] for row in read_rows(path, "").rows] == [1.0, 5.0, 8.0]  # each fault spoils its own line
    path.write_bytes(b"step,loss\n" + b"1" * (9 << 20) + b"\n2,3\n")
    first = read_rows(path, "")
    second = read_rows(path, first.place)
    assert (first.rows, second.rows[-1]) == ([], [2.0, 3.0])
    path.unlink()
    os.mkfifo(path)
    assert read_rows(path, "").columns == []
    for text in ("[" * 100_000, '{"run": {"steps": true}}', '{"run": {"steps": ' + "9" * 400 + "}}"):
        (tmp_path / "recipe.json").write_text(text)
        assert steps_of(tmp_path) is None
