"""Small parts that several pages show: the title, ten digit buttons, and text that is safe in Markdown."""

from __future__ import annotations

import re
from html import escape

import streamlit as st

NAME = "Handwritten digit generator"


class Html(str):
    """HTML that st.html takes as it is. In a plain string it looks for a file's name and for indentation."""

    def _repr_html_(self) -> str:
        return self


def show_title(title: str, caption: str) -> None:
    st.title(title, anchor=False)
    st.caption(caption)


def pick_digit(label: str, key: str, first: int) -> int:
    """Ten buttons of one size. A visitor who comes back from another page finds the same digit picked."""
    return st.segmented_control(
        label,
        range(10),
        default=first,
        required=True,
        key=key,
        label_visibility="collapsed",
        width="stretch",
        persist_state="session",
    )


def show_again(words: str, command: str) -> None:
    """A command in a sentence, `words` before it, with a button that copies it (app.js)."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"{words} `{command}`", width="content")
        st.html(_copy_button(command), width="content")


def html_of_again(words: str, command: str) -> str:
    """show_again, as a part of other HTML; `words` are HTML."""
    sentence = f"<p class=quiet>{words} <code>{escape(command)}</code></p>"
    return f"<div class=again>{sentence}{_copy_button(command)}</div>"


def _copy_button(command: str) -> str:
    return (
        f'<button class=copy type=button data-copy="{escape(command)}">Copy command</button>'
        "<span role=status></span>"
    )


def escape_markdown(text: str) -> str:
    """Markdown that shows `text` unchanged: a message may quote a path, a visitor or a broken file.

    No address in it becomes a link: a word joiner, which nobody sees, stands inside.
    """
    escaped = re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)  # in front of others, a backslash would show
    return re.sub(r"(?i)(https?|www|@)", "\\1\u2060", escaped)


def sentence(error: Exception) -> str:
    """The message of a library error with a capital letter and a full stop."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
