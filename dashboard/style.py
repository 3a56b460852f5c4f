"""The few rules of looks that the theme cannot say."""

import streamlit as st

_CSS = """
<style>
.stMainBlockContainer { padding-top: 3.2rem; padding-bottom: 1.5rem; max-width: 1320px; }
h1 { font-size: 1.7rem !important; letter-spacing: -0.015em; padding: 0.7rem 0 0 0 !important; }
h2 { font-size: 1.2rem !important; } h3 { font-size: 1.02rem !important; padding-top: 0 !important; }
[class*="st-key-saved-"] { position: relative; }
[class*="st-key-saved-"] > :has([data-testid^="stBidiComponent"]) {
  position: absolute; top: 0; right: 0; width: max-content; z-index: 5;
}
/* What it tells lies over the page, also while the page runs and Streamlit fades what it has not drawn anew. */
.st-key-copy-link { position: relative; z-index: 60; } .st-key-copy-link > div { opacity: 1 !important; }
.ts-saved { padding-right: 4rem; }
[class*="st-key-saved-curve"] [data-testid="stElementToolbar"] { display: none; } /* what it offers, Save has */
[data-testid="stImage"] img { image-rendering: pixelated; border-radius: 6px; }
.ts-lead { font-size: 1.02rem; opacity: 0.82; margin: 0 0 0.4rem 0; max-width: 62rem; }
.ts-number { font-size: 2.9rem; font-weight: 680; line-height: 1.05; font-variant-numeric: tabular-nums; }
.ts-small { font-size: 0.84rem; font-variant-numeric: tabular-nums;
  color: color-mix(in srgb, currentColor 78%, transparent); }
/* Streamlit's captions and the primary button of the dark theme fall just short of the contrast of WCAG AA. */
[data-testid="stCaptionContainer"] { opacity: 0.76 !important; }
[data-testid="stBaseButton-primary"]:enabled, [data-testid="stBaseButton-primary"]:enabled p {
  color: light-dark(#fff, #16122b) !important; }
.ts-chip { display: inline-flex; align-items: center; gap: 0.45em; font-weight: 620; font-size: 1.05rem; }
.ts-chip i { width: 0.85em; height: 0.85em; border-radius: 3px; display: inline-block; flex: none; }
.ts-key { display: inline-flex; align-items: center; gap: 0.35em; margin-right: 0.9em; white-space: nowrap; }
.ts-key i { width: 1.4em; height: 0; display: inline-block; }
.ts-dot { width: 0.8em !important; height: 0.8em !important; border-radius: 3px; }
.ts-w { font-size: 1.25rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.ts-votes { display: grid; gap: 2px; font-size: 0.82rem; font-variant-numeric: tabular-nums; }
.ts-vote { display: grid; grid-template-columns: minmax(3.2em, 34%) 1fr 2.2em; gap: 0.5em; align-items: center; }
.ts-vote span:first-child { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.ts-vote span:last-child { text-align: right; }
.ts-vote i { height: 10px; border-radius: 3px; background: rgba(128,128,140,0.2); }
.ts-vote b { display: block; height: 100%; border-radius: 3px; }
.ts-two { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 0.2rem 1.4rem; }
.st-key-verdict p { font-size: 1.16rem; line-height: 1.4; }
.ts-who { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 0.6rem 1.6rem; }
.ts-who-part { display: flex; gap: 0.6rem; align-items: center; overflow-wrap: anywhere; }
.ts-who-part > div { flex: 1; min-width: 0; }
.ts-who-picture { width: 72px; height: 72px; flex: none; border-radius: 6px; object-fit: contain;
  image-rendering: pixelated; box-shadow: 0 0 0 1px rgba(128,128,140,.45); }
.ts-who-numbers { display: flex; flex-wrap: wrap; gap: 0 1.2rem; font-variant-numeric: tabular-nums; }
.st-key-links a, [class*="st-key-link-"] a {
  border: 1px solid rgba(128,128,140,.45); border-radius: 0.6rem; padding: 0.45rem 0.9rem;
}
/* The Lab: the trigger before and after, in turn. */
.ts-before-after { display: flex; gap: 1.2rem; align-items: end; }
.ts-before-after figure { margin: 0; }
.ts-before-after figcaption { font-size: 0.78rem; }
.ts-before-after img { image-rendering: pixelated; display: block; }
.ts-blink { display: inline-grid; }
.ts-blink img { grid-area: 1 / 1; }
.ts-blink img + img { animation: ts-blink 1.6s steps(1) infinite; }
@keyframes ts-blink { 50% { opacity: 0; } }
@media (prefers-reduced-motion: reduce) {
  .ts-blink { grid-auto-flow: column; gap: 0.3rem; } .ts-blink img { grid-area: auto; }
  .ts-blink img + img { animation: none; }
}
/* The Lab: a verdict, and results that other settings made. */
[class*="st-key-verdict-"] { border-left: 5px solid #717581 !important; }
.st-key-verdict-works { border-left-color: #3f90da !important; }
:is(.st-key-verdict-costs, .st-key-verdict-spreads, .st-key-verdict-part, .st-key-verdict-alone) {
  border-left-color: #e08600 !important; }
.ts-verdict { font-size: 1.3rem; font-weight: 680; line-height: 1.25; }
[class*="st-key-verdict-"] [data-testid="stMarkdownContainer"] p { margin-bottom: 0; }
.st-key-w-after-training { min-height: 2.7rem; }
[class*="-of-other-settings"] [class*="st-key-verdict-"] {
  color: color-mix(in srgb, currentColor 74%, transparent); border-left-color: #94a4a2 !important; }
[class*="-of-other-settings"] :is([data-testid="stVegaLiteChart"], [class*="st-key-film"]) { filter: grayscale(1); }
[class*="-of-other-settings"] [class*="st-key-verdict-"] .ts-small { color: inherit; }
[class*="-of-other-settings"] [data-testid="stVegaLiteChart"] { opacity: 0.45; }
.ts-sea { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0.5rem; }
.ts-sea figure { margin: 0; min-width: 0; }
.ts-sea img { width: 100%; aspect-ratio: 1; display: block; border-radius: 4px; }
.ts-sea figcaption { font-size: 0.84rem; margin-top: 0.15rem; }
.ts-scale { display: flex; align-items: center; gap: 0.5em; margin-top: 0.3rem; font-size: 0.84rem;
  font-variant-numeric: tabular-nums; }
.ts-scale i { flex: 1; height: 10px; border-radius: 3px; box-shadow: 0 0 0 1px rgba(128,128,140,.45); }
.ts-shows { font-weight: 620; margin: 0 0 0.5rem 0; }
.ts-beside { display: grid; grid-template-columns: minmax(6rem, 8rem) 1fr; gap: 1rem; align-items: center;
  margin: 0.7rem 0 0.5rem 0; }
.ts-crisp { width: 100%; image-rendering: pixelated; outline: 1px solid rgba(128,128,140,.45); }
.ts-bar { height: 8px; border-radius: 4px; background: rgba(128,128,140,0.25); position: relative; margin: 0.35rem 0; }
.ts-bar b { position: absolute; top: 0; bottom: 0; border-radius: 4px; }
@media (min-width: 1700px) {
  .stMainBlockContainer:has([class*="st-key-wide"]) { max-width: 1720px; }
}
@media (max-width: 640px) {
  .ts-who-picture { width: 46px; height: 46px; }
  .ts-who-picture + .ts-who-picture { display: none; }
  .ts-who-part { font-size: 0.92rem; }
  .st-key-why td:last-child, .st-key-why th:last-child { display: none; }
  .stMainBlockContainer { padding-left: 1rem; padding-right: 1rem; }
  h1 { font-size: 1.35rem !important; }
  /* The navigation folds up behind two bare arrows. */
  [data-testid="stExpandSidebarButton"] { width: auto; padding: 0 0.6rem; }
  [data-testid="stExpandSidebarButton"]::after { content: "Menu"; margin-left: 0.3rem; font-size: 0.95rem; }
  [class*="st-key-around"] [data-testid="stColumn"] {
    min-width: calc(50% - 1rem) !important; flex: 1 1 calc(50% - 1rem) !important;
  }
}
@media print { [data-testid="stHeader"], [data-testid="stToolbar"] { display: none; } }
</style>
"""


def inject_style() -> None:
    """Add the rules to this page."""
    st.html(_CSS)
