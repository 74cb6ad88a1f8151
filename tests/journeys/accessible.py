"""What everybody needs of a page, asked of the page as the browser has it."""

from typing import cast

from playwright.sync_api import Page

# Web Content Accessibility Guidelines 2.2: 1.4.3 (text), 1.4.11 (what isn't text), 2.5.8 (size of a target).
CONTRAST_MIN = 4.5
TARGET_PX_MIN = 24

_NAMELESS = """
() => [...document.querySelectorAll('a, button, input, select, summary, table, nav, section, dialog, form, [role]')]
  .filter((each) => each.checkVisibility() && !each.closest('[role=img] *')) // what is in a picture isn't told apart
  .filter((each) => {
    const by = each.getAttribute('aria-labelledby');
    const name = each.getAttribute('aria-label')
      || (by && document.getElementById(by)?.textContent)
      || each.labels?.[0]?.textContent || each.caption?.textContent
      || (/^(A|BUTTON|SUMMARY)$/.test(each.tagName) && each.textContent)
      || (/^(status|alert)$/.test(each.getAttribute('role')) && 'a message');
    return !String(name || '').trim();
  })
  .map((each) => each.outerHTML.slice(0, 200))
"""

_STRUCTURE = """
() => {
  const wrong = [];
  const levels = [...document.querySelectorAll('h1, h2, h3, h4')].filter((each) => each.checkVisibility());
  levels.reduce((before, each) => {
    const level = Number(each.tagName[1]);
    if (level > before + 1) wrong.push(`a heading is skipped before ${each.textContent}`);
    return level;
  }, 0);
  for (const [tag, count] of [['h1', 1], ['main', 1], ['header', 1], ['footer', 1]])
    if (document.querySelectorAll(tag).length !== count) wrong.push(`${tag} isn't there ${count} times`);
  if (!document.documentElement.lang) wrong.push('no language');
  if (!document.title) wrong.push('no title');
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  if (new Set(ids).size !== ids.length) wrong.push(`an id occurs twice: ${ids.filter((id, at) => ids.indexOf(id) !== at)}`);
  for (const each of document.querySelectorAll('[aria-labelledby], [aria-describedby]'))
    for (const name of ['aria-labelledby', 'aria-describedby'])
      if (each.hasAttribute(name) && !document.getElementById(each.getAttribute(name))) wrong.push(`${name} leads nowhere`);
  for (const each of document.querySelectorAll('th'))
    if (!each.scope) wrong.push('a heading of a table has no scope');
  return wrong;
}
"""

_FAINT = """
(least) => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b]
    .map((each) => each / 255)
    .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
    .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = rgba(getComputedStyle(each).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = new Set();
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility()) continue;
    if (element.closest(':disabled, script, noscript')) continue;
    const style = getComputedStyle(element);
    const ink = element.closest('svg') ? style.fill : style.color;
    const [a, b] = [light(rgba(ink)), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < least) faint.add(`${ratio.toFixed(2)}: ${element.textContent.slice(0, 60)}`);
  }
  return [...faint];
}
"""

_SMALL = """
(least) => [...document.querySelectorAll('button, input, select, summary, nav a')]
  .filter((each) => each.checkVisibility())
  .filter((each) => Math.min(each.getBoundingClientRect().width, each.getBoundingClientRect().height) < least)
  .map((each) => each.outerHTML.slice(0, 200))
"""

_WIDER = """
() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.body.querySelectorAll('*')]
    .filter((each) => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest('.scroller'))
    .map((each) => each.outerHTML.slice(0, 120))
"""

_REACHABLE = """
() => {
  const usable = 'a[href], button:not(:disabled), input:not(:disabled), select, summary, [tabindex="0"]';
  const all = [...document.querySelectorAll(usable)]
    .filter((each) => each.checkVisibility());
  all.forEach((each, at) => { each.dataset.reach = at; });
  return all.length;
}
"""

_FOCUSED = """
() => {
  const here = document.activeElement;
  const style = getComputedStyle(here);
  const box = here.getBoundingClientRect();
  const bar = here.closest('header, .skip') ? 0 : document.querySelector('header').getBoundingClientRect().bottom;
  return {
    number: here.dataset?.reach ?? null,
    outlined: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
    seen: box.bottom > bar && box.top < innerHeight,
    what: here.outerHTML.slice(0, 200),
  };
}
"""


def problems(page: Page) -> list[str]:
    """Return what a screen reader, weak eyes, or a finger would stumble over."""
    return [
        *(f"no name: {each}" for each in asked(page, _NAMELESS)),
        *asked(page, _STRUCTURE),
        *(f"contrast {each}" for each in asked(page, _FAINT, CONTRAST_MIN)),
        *(f"too small: {each}" for each in asked(page, _SMALL, TARGET_PX_MIN)),
    ]


def too_wide(page: Page) -> list[str]:
    """Return what makes the page scroll sideways."""
    return asked(page, _WIDER)


def asked(page: Page, script: str, argument: object = None) -> list[str]:
    return cast("list[str]", page.evaluate(script, argument))


def walked(page: Page) -> tuple[set[int], list[str]]:
    """Press Tab until the page is left; return what wasn't reached, and what couldn't be seen when it was."""
    count = int(page.evaluate(_REACHABLE))
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    reached: set[int] = set()
    unseen: list[str] = []
    for _ in range(count + 5):
        page.keyboard.press("Tab")
        at = page.evaluate(_FOCUSED)
        if at["number"] is None:
            continue
        if int(at["number"]) in reached:
            break
        reached.add(int(at["number"]))
        if not (at["outlined"] and at["seen"]):
            unseen.append(str(at["what"]))
    return set(range(count)) - reached, unseen
