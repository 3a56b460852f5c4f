"""What the slice component tells the browser, and what it believes of what comes back."""

from __future__ import annotations

import base64
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from core.errors import InputError
from core.figures.slice_layers import SliceLayer
from core.figures.slice_words import describe_slice, label_at, label_shares, ring_caption
from core.figures.w_colours import w_colours
from dashboard.components.slice_view.encoding import encode_slice

CLASSES = ("stop", "yield", "no entry")
COLOURS = ("#3f90da", "#ffa90e")
NAMES = {"origin": "clean", "toward": "with trigger"}
LABELS = np.array([[0, 0, 0, 1], [0, 0, 1, 1], [0, 2, 1, 1], [0, 2, 1, 1]])


def plane(labels=LABELS, shape=(3, 4, 5), seed=0, reach=9.0, **changes) -> SimpleNamespace:
    rng = np.random.default_rng(seed)
    x_axis, y_axis = np.linalg.qr(rng.normal(size=(np.prod(shape), 2)))[0].T.reshape(2, *shape)
    grid = np.linspace(-0.5 * reach, 1.5 * reach, len(labels))
    parts = {
        "labels": labels,
        "x": grid,
        "y": grid,
        "origin": rng.random(shape),
        "x_axis": x_axis,
        "y_axis": y_axis,
        "points": {"origin": (0.0, 0.0), "toward": (reach, 0.0), "across": (1.0, reach)},
    }
    return SimpleNamespace(**(parts | changes))


def encode(slice_plane, **changes):
    options = {"colours": COLOURS, "point_names": NAMES, "axis_names": ("along", "across"), "sigma": 0.5}
    return encode_slice(slice_plane, CLASSES, **(options | changes))


def decoded(image: dict, shape) -> np.ndarray:
    steps = np.frombuffer(base64.b64decode(image["steps"]), "<u2").astype(np.float64)
    return (image["offset"] + image["scale"] * steps).reshape(shape)


# --- What is sent ----------------------------------------------------------------------------------------------------


def test_labels_and_grid_come_through_row_by_row():
    sent = encode(plane())
    assert np.frombuffer(base64.b64decode(sent["labels"]), np.uint8).tolist() == LABELS.ravel().tolist()
    assert sent["resolution"] == 4
    assert sent["extent"] == [-4.5, 13.5, -4.5, 13.5]
    assert [(point["mark"], point["x"], point["y"]) for point in sent["points"]] == [
        ("clean", 0.0, 0.0),
        ("triggered", 9.0, 0.0),
    ]


@given(st.integers(0, 10_000), st.sampled_from([(1, 8, 8), (3, 32, 32)]), st.floats(0.1, 25))
def test_the_image_rebuilt_from_what_was_sent_is_the_image(seed, shape, reach):
    sliced = plane(shape=shape, seed=seed, reach=reach)
    sent = encode(sliced)["images"]
    for x, y in [(0.0, 0.0), (1.5 * reach, -0.5 * reach), (1.5 * reach, 1.5 * reach)]:
        exact = np.clip(sliced.origin + x * sliced.x_axis + y * sliced.y_axis, 0, 1)
        rebuilt = np.clip(
            sum(f * decoded(sent[n], shape) for f, n in [(1, "origin"), (x, "xAxis"), (y, "yAxis")]), 0, 1
        )
        # A third of a grey level: with rounding to bytes the pixels on screen differ by one level at most.
        assert np.abs(rebuilt - exact).max() < 0.34 / 255


def layer(values, low=0.0, high=1.0) -> SliceLayer:
    return SliceLayer(
        "W", "W at σ = 0.5", np.asarray(values, float), low, high, "Measured somehow.", w_colours(), ("calm", "rough")
    )


def test_a_layer_comes_through_as_numbers_and_as_shares_of_its_scale():
    values = np.array([[-1.0, 0.0, 2.0], [4.0, 5.0, 6.0], [7.0, 9.0, 3.0]])
    sent = encode(plane(), layer=layer(values, 0.0, 6.0))["layer"]
    assert sent["resolution"] == 3
    assert np.frombuffer(base64.b64decode(sent["values"]), "<f4").tolist() == values.ravel().tolist()
    shares = np.frombuffer(base64.b64decode(sent["shares"]), np.uint8)
    assert shares.tolist() == [0, 0, 85, 170, 212, 255, 255, 255, 128]
    colours = np.frombuffer(base64.b64decode(sent["colours"]), np.uint8).reshape(256, 3)
    assert (colours == w_colours()).all()
    assert sent["ends"] == ["calm", "rough"]
    assert encode(plane())["layer"] is None


def test_a_second_clean_image_is_not_marked_as_triggered():
    assert [point["mark"] for point in encode(plane(), triggered=False)["points"]] == ["clean", "other"]


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (layer(np.zeros((2, 3))), "square grid"),
        (layer(np.full((2, 2), np.nan)), "finite"),
        (layer(np.zeros((2, 2)), 1.0, 1.0), "above the start"),
    ],
)
def test_a_layer_that_cannot_be_drawn_is_refused(wrong, complaint):
    with pytest.raises(InputError, match=complaint):
        encode(plane(), layer=wrong)


def test_a_flat_image_keeps_its_value():
    sent = encode(plane(origin=np.full((3, 4, 5), 0.25)))
    np.testing.assert_array_equal(decoded(sent["images"]["origin"], (3, 4, 5)), 0.25)


def test_the_real_slice_has_the_shape_that_is_asked_for():
    torch = pytest.importorskip("torch")
    from core.instruments.slices.refine import slice_plane

    def model(images):
        level = images.mean(dim=(1, 2, 3))
        return torch.stack([0.5 - level, level - 0.5, level * 0 - 9], dim=1)

    black, white, ramp = torch.zeros(1, 8, 8), torch.ones(1, 8, 8), torch.linspace(0, 1, 64).view(1, 8, 8)
    sliced = slice_plane(model, black, white, ramp, resolution=33)
    sent = encode(sliced)
    assert sent["description"].endswith("clean: stop; with trigger: yield.")
    rebuilt = decoded(sent["images"]["origin"], (1, 8, 8)) + 8.0 * decoded(sent["images"]["xAxis"], (1, 8, 8))
    np.testing.assert_allclose(rebuilt, sliced.image(8.0, 0.0).numpy(), atol=1e-3)


def test_shares_count_the_points_of_each_label():
    assert label_shares(LABELS) == [(0, 7 / 16), (1, 7 / 16), (2, 2 / 16)]
    assert encode(plane())["shares"] == [[0, 7 / 16], [1, 7 / 16], [2, 2 / 16]]


def test_a_point_has_the_label_of_its_nearest_grid_point():
    sliced = plane()
    assert label_at(sliced, -4.5, -4.5) == 0
    assert label_at(sliced, 13.5, -4.5) == 1  # last column of the lowest row
    assert label_at(sliced, 2.0, 13.0) == 2  # second column of the highest row
    assert label_at(sliced, 99.0, 99.0) == 1


def test_the_map_is_told_in_words():
    words = describe_slice(plane(), CLASSES, NAMES)
    assert words.endswith("stop 44%, yield 44%, no entry 12%. clean: stop; with trigger: yield.")


def test_many_labels_are_summed_up_in_words():
    labels = np.arange(100).reshape(10, 10) % 9
    words = describe_slice(plane(labels=labels), [str(k) for k in range(9)], {})
    assert "5 11%, 3 more labels 33%." in words


def test_the_ring_says_that_it_is_a_projection():
    caption = ring_caption(0.5, 3072)
    assert "σ = 0.5" in caption
    assert "projected onto this plane" in caption
    assert "27.7" in caption  # 0.5 * sqrt(3072)
    assert ring_caption(None, 3072) == ""


@pytest.mark.parametrize(
    ("changes", "options", "complaint"),
    [
        ({"labels": LABELS[:3]}, {}, "square map"),
        ({"labels": LABELS + 2}, {}, "Label 4 has no class name"),
        ({"labels": LABELS - 1}, {}, "Label -1 has no class name"),
        ({"x": np.array([0.0, 1.0, 2.0, 9.0])}, {}, "x is no grid"),
        ({"y": np.linspace(1, 0, 4)}, {}, "y is no grid"),
        ({"origin": np.zeros((2, 4, 5))}, {}, "one or three channels"),
        ({"y_axis": np.full((3, 4, 5), np.nan)}, {}, "finite values"),
        ({"x_axis": np.zeros((3, 4, 4))}, {}, "shape"),
        ({}, {"colours": ["red"]}, "'red' is not a colour"),
        ({}, {"colours": []}, "at least one"),
        ({}, {"point_names": {"middle": "centre"}}, "'middle' is not on a slice"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(changes, options, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        encode(plane(**changes), **options)
    assert str(caught.value).endswith(".")


# --- What comes back -------------------------------------------------------------------------------------------------


def page_that_follows() -> None:
    import streamlit as st

    from dashboard.components.slice_view import slice_view
    from tests.dashboard.test_slice_view import CLASSES, COLOURS, NAMES, plane

    start = st.session_state.get("start")
    point = slice_view(plane(), CLASSES, colours=COLOURS, point_names=NAMES, selected=start, key="slice")
    st.text(f"point: {point}")


def page_that_owns() -> None:
    import streamlit as st

    from dashboard.components.slice_view import slice_view
    from tests.dashboard.test_slice_view import CLASSES, COLOURS, NAMES, plane

    point = slice_view(
        plane(),
        CLASSES,
        colours=COLOURS,
        point_names=NAMES,
        selected=st.session_state.setdefault("mine", (9.0, 0.0)),
        key="slice",
        on_select=lambda point: st.session_state.update(mine=point),
    )
    st.text(f"point: {point}")


def after_selecting(page, selection, **state) -> str:
    app = AppTest.from_function(page)
    for name, value in state.items():
        app.session_state[name] = value
    if selection is not None:
        app.session_state["slice"] = {"selection": selection}
    app.run()
    assert not app.exception
    return app.text[0].value


def test_a_selection_starts_where_the_page_says():
    assert after_selecting(page_that_follows, None) == "point: None"
    assert after_selecting(page_that_follows, None, start=(1.0, 2.0)) == "point: (1.0, 2.0)"


def test_a_selection_from_the_browser_wins_over_the_start():
    chosen = {"pick": 1, "point": [3.5, -1]}
    assert after_selecting(page_that_follows, chosen, start=(1.0, 2.0)) == "point: (3.5, -1.0)"
    cleared = {"pick": 2, "point": None}
    assert after_selecting(page_that_follows, cleared, start=(1.0, 2.0)) == "point: None"


def test_what_comes_last_is_selected_the_page_s_point_or_the_person_s():
    app = AppTest.from_function(page_that_follows)
    app.session_state["start"] = (0.0, 0.0)
    said = []
    for change in (
        {},
        {"slice": {"selection": {"pick": 1, "point": [3.5, -1]}}},
        {"start": (9.0, 0.0)},  # a switch on the page moves its point: the person's older choice gives way
        {"slice": {"selection": {"pick": 2, "point": [2.0, 2.0]}}},
        {"slice": {"selection": {"pick": 3, "point": None}}},
        {"start": (0.0, 0.0)},
        {"slice": {"selection": {"pick": 1, "point": [1.0, 1.0]}}},  # the map was away, and counts anew
    ):
        for name, value in change.items():
            app.session_state[name] = value
        app.run()
        assert not app.exception
        said.append(app.text[0].value.removeprefix("point: "))
    assert said == ["(0.0, 0.0)", "(3.5, -1.0)", "(9.0, 0.0)", "(2.0, 2.0)", "None", "(0.0, 0.0)", "(1.0, 1.0)"]


def test_a_page_that_owns_the_selection_shows_its_own():
    assert after_selecting(page_that_owns, {"pick": 1, "point": [3.5, -1]}) == "point: (9.0, 0.0)"


@pytest.mark.parametrize(
    "selection",
    [
        {"pick": 1, "point": [1e9, 0]},
        {"pick": 1, "point": [float("nan"), 0]},
        {"pick": 1, "point": ["1", "2"]},
        {"pick": 1, "point": [1]},
        {"pick": 1, "point": "ab"},
        {"pick": "1", "point": [1, 2]},
        {"point": [1, 2]},
        "nonsense",
    ],
)
def test_nonsense_from_the_browser_selects_nothing(selection):
    assert after_selecting(page_that_follows, selection) == "point: None"
