// Zoom, pan, pointer and keys.

const NARROWEST = 20;
let awaited = false;

/** Paints everything once before the next frame. */
function repaint() {
  if (awaited) return;
  awaited = true;
  requestAnimationFrame(() => {
    awaited = false;
    paintLanes();
    paintRuler();
    paintOverview();
  });
}

/** Shows this stretch of time, cut to the run with a little air around it. */
function show(from, to) {
  const air = lastTime * 0.015;
  const width = Math.min(Math.max(to - from, NARROWEST), lastTime + 2 * air);
  const begin = Math.min(Math.max((from + to - width) / 2, -air), lastTime + air - width);
  view.from = begin;
  view.to = begin + width;
  viewChanged();
  repaint();
}
function zoom(factor, around = (view.from + view.to) / 2) {
  show(around - (around - view.from) * factor, around + (view.to - around) * factor);
}
function pan(share) {
  const by = (view.to - view.from) * share;
  show(view.from + by, view.to + by);
}
/** The whole run, from the first thing that happened. */
const fit = () => show(firstTime - (lastTime - firstTime) * 0.02, lastTime + (lastTime - firstTime) * 0.02);

/** Brings an item into view: its time and its row. */
function reveal(item) {
  const width = view.to - view.from;
  const end = endOf(item);
  const overlap = Math.min(end, view.to) - Math.max(item.at, view.from);
  if (overlap < 0 || (overlap === 0 && (item.at < view.from || item.at > view.to))) show(item.at - width / 2, item.at + width / 2);
  const row = rowOf.get(item);
  if (!row) return;
  const top = row.y - HEAD;
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (row.y + TRAFFIC * 2 > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = row.y + TRAFFIC * 2 - scroller.clientHeight;
}

function select(item, { quietly = false } = {}) {
  marked.selected = item;
  marked.finding = null;
  if (item) reveal(item);
  selectionChanged(quietly);
  repaint();
}

/** The violation comes to the middle, with a few seconds around it. */
function jumpTo(finding) {
  const item = culprit(finding);
  if (item && !isShown(item)) showAll();
  const around = Math.min(lastTime / 2, Math.max(lastTime * 0.04, 1.5e6));
  show(finding.at - around, finding.at + around);
  marked.selected = item && rowOf.has(item) ? item : null;
  marked.finding = finding;
  if (marked.selected) reveal(marked.selected);
  selectionChanged(false);
  repaint();
}

function nextFinding(direction) {
  if (findings.length === 0) return;
  const now = marked.finding ? findings.indexOf(marked.finding) : direction > 0 ? -1 : 0;
  jumpTo(findings[(now + direction + findings.length) % findings.length]);
}

/** The next shown item of a sort after the selected one, from the beginning when there is none. */
function nextOf(wanted, direction = 1) {
  const all = shown.filter(wanted);
  if (all.length === 0) return;
  const here = marked.selected;
  if (!here) { select(all.find((item) => item.at >= view.from) ?? all[0]); return; }
  const after = (item) => (item.at - here.at || item.index - here.index) * direction > 0;
  const ahead = direction > 0 ? all.find(after) : all.findLast(after);
  select(ahead ?? (direction > 0 ? all[0] : all[all.length - 1]));
}

/** The item nearest in time on the row above or below. */
function otherRow(direction) {
  const rows = lanes.filter((lane) => !folded.has(lane.name)).flatMap((lane) => lane.rows);
  const here = marked.selected && rows.indexOf(rowOf.get(marked.selected));
  const at = marked.selected?.at ?? (view.from + view.to) / 2;
  const row = rows[(here === null || here < 0) ? 0 : here + direction];
  if (!row) return;
  const away = (item) => Math.max(item.at - at, at - endOf(item), 0);
  select(row.items.reduce((best, item) => (away(item) < away(best) ? item : best)));
}

const isFound = (item) => found(item);
const KEYS = {
  ArrowRight: ['next item', (event) => (event.shiftKey ? pan(0.2) : nextOf(isFound))],
  ArrowLeft: ['item before', (event) => (event.shiftKey ? pan(-0.2) : nextOf(isFound, -1))],
  ArrowDown: ['row below', () => otherRow(1)],
  ArrowUp: ['row above', () => otherRow(-1)],
  '+': ['zoom in', () => zoom(0.6, marked.selected?.at)],
  '-': ['zoom out', () => zoom(1 / 0.6)],
  0: ['the whole run', fit],
  Enter: ['zoom to the selected item', () => marked.selected && zoomTo(marked.selected)],
  v: ['next violation', () => nextFinding(1)],
  V: ['violation before', () => nextFinding(-1)],
  r: ['next refused write', () => nextOf((item) => item.sort === 'refused')],
  f: ['next fault', () => nextOf((item) => item.kind === 'fault')],
  '/': ['find', () => document.getElementById('search').focus()],
  l: ['list of what is in view', () => openTab('list')],
  d: ['light, dark, as the system', turnTheme],
  Escape: ['let go', () => select(null)],
  '?': ['this help', () => document.getElementById('help').showModal()],
};

function zoomTo(item) {
  const length = Math.max(endOf(item) - item.at, lastTime / 500);
  show(item.at - length * 0.15, item.at + length * 1.15);
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.getElementById('help').open) return;
  const typing = event.target instanceof HTMLInputElement;
  const onButton = event.target instanceof HTMLElement && event.target.closest('button, summary');
  if (typing || (onButton && (event.key === 'Enter' || event.key.startsWith('Arrow')))) return;
  const key = event.key === '=' ? '+' : event.key;
  if (!Object.hasOwn(KEYS, key)) return;
  event.preventDefault();
  KEYS[key][1](event);
}

function hitAt(event) {
  const { left, top } = scroller.getBoundingClientRect();
  const [x, y] = [event.clientX - left, event.clientY - top + scroller.scrollTop];
  if (x < GUTTER) return null;
  const marks = hits.findLast((hit) => x >= hit.x - 1 && x <= hit.x + hit.width + 1 && y >= hit.y && y < hit.y + hit.height);
  return marks?.item ?? null;
}

function laneAt(event) {
  const { left, top } = scroller.getBoundingClientRect();
  const y = event.clientY - top + scroller.scrollTop;
  const over = lanes.find((lane) => y >= lane.y && y < lane.y + HEAD);
  return event.clientX - left < GUTTER ? over : undefined;
}

function onWheel(event) {
  const { left } = scroller.getBoundingClientRect();
  if (event.ctrlKey || event.metaKey || event.currentTarget !== scroller) {
    event.preventDefault();
    zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.006), timeOf(Math.max(event.clientX - left, GUTTER)));
  } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    event.preventDefault();
    pan((event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX) / widthOf());
  }
}

/** Follows a pointer that is held down, from an element, until it is let go. */
function dragging(element, begin) {
  element.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    const follow = begin(event);
    if (!follow) return;
    let moved = false;
    const origin = event.clientX;
    element.setPointerCapture(event.pointerId);
    const move = (now) => {
      moved ||= Math.abs(now.clientX - origin) > 3;
      if (moved) follow.move(now);
    };
    const end = (now) => {
      element.removeEventListener('pointermove', move);
      follow.end(now, moved && now.type === 'pointerup');
      repaint();
    };
    element.addEventListener('pointermove', move);
    element.addEventListener('pointerup', end, { once: true });
    element.addEventListener('pointercancel', end, { once: true });
  });
}

function listenToPointer() {
  const inside = (event) => event.clientX - scroller.getBoundingClientRect().left;
  dragging(scroller, (down) => {
    if (inside(down) > scroller.clientWidth) return null;
    const [from, to, perPixel] = [view.from, view.to, (view.to - view.from) / widthOf()];
    return {
      move: (event) => {
        scroller.classList.add('dragging');
        const by = (down.clientX - event.clientX) * perPixel;
        show(from + by, to + by);
      },
      end: (event, moved) => {
        scroller.classList.remove('dragging');
        if (moved) return;
        const lane = laneAt(event);
        if (lane) fold(lane); else select(hitAt(event));
      },
    };
  });
  dragging(ruler, (down) => {
    marked.drag = { zoom: true, from: inside(down), to: inside(down) };
    return {
      move: (event) => { marked.drag.to = inside(event); repaint(); },
      end: (event, moved) => {
        const { from, to } = marked.drag;
        marked.drag = null;
        if (moved) show(timeOf(Math.min(from, to)), timeOf(Math.max(from, to)));
      },
    };
  });
  dragging(overview, (down) => {
    const centre = (event) => { const half = (view.to - view.from) / 2; const at = overviewTime(inside(event)); show(at - half, at + half); };
    centre(down);
    return { move: centre, end: () => {} };
  });
  for (const element of [scroller, ruler, overview]) element.addEventListener('wheel', onWheel, { passive: false });
  scroller.addEventListener('dblclick', (event) => { const item = hitAt(event); if (item) zoomTo(item); });
  scroller.addEventListener('pointermove', (event) => {
    const item = hitAt(event);
    const x = inside(event);
    marked.pointer = x >= GUTTER && x <= scroller.clientWidth ? timeOf(x) : null;
    scroller.classList.toggle('over', Boolean(item) || Boolean(laneAt(event)));
    marked.hovered = item;
    tell(item, event);
    repaint();
  });
  scroller.addEventListener('scroll', repaint, { passive: true });
  scroller.addEventListener('pointerleave', () => { marked.pointer = marked.hovered = null; tell(null); repaint(); });
}

function fold(lane) {
  if (!folded.delete(lane.name)) folded.add(lane.name);
  place();
  repaint();
}
