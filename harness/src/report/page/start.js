// Puts the page together.

const THEMES = ['', 'light', 'dark'];
let theme = '';
const darkSystem = matchMedia('(prefers-color-scheme: dark)');

function dress() {
  document.documentElement.classList.toggle('dark', theme === 'dark' || (theme === '' && darkSystem.matches));
  forgetColours();
  repaint();
}
function turnTheme() {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  dress();
}

/** The address keeps what is in view, so that a link leads to the same spot. */
function remember() {
  const parts = [`t=${Math.round(view.from)}-${Math.round(view.to)}`];
  if (marked.selected) parts.push(`item=${marked.selected.index}`);
  try { history.replaceState(null, '', `#${parts.join('&')}`); } catch { /* Some browsers refuse this for files; nothing is lost. */ }
}
const address = location.hash.slice(1);
function recall() {
  const wanted = new URLSearchParams(address);
  const times = /^(-?\d+)-(\d+)$/.exec(wanted.get('t') ?? '');
  if (!times) return false;
  show(Number(times[1]), Number(times[2]));
  const item = items[Number(wanted.get('item') ?? -1)];
  if (item && rowOf.has(item)) select(item, { quietly: true });
  return true;
}

function wire() {
  const on = (id, act) => byId(id).addEventListener('click', act);
  on('zoom-in', () => zoom(0.6, marked.selected?.at));
  on('zoom-out', () => zoom(1 / 0.6));
  on('fit', fit);
  on('jump', () => nextFinding(1));
  on('next-refused', KEYS.r[1]);
  on('theme', turnTheme);
  on('help-button', () => byId('help').showModal());
  on('tab-details', () => openTab('details'));
  on('tab-list', () => openTab('list'));
  byId('search').addEventListener('input', seek);
  byId('search').addEventListener('keydown', (event) => {
    if (event.key === 'Enter') nextOf(isFound, event.shiftKey ? -1 : 1);
    if (event.key === 'Escape') { byId('search').value = ''; seek(); scroller.focus(); }
  });
  document.addEventListener('keydown', onKey);
  darkSystem.addEventListener('change', dress);
  new ResizeObserver(repaint).observe(scroller);
  listenToPointer();
}

function describeRun() {
  byId('about').replaceChildren(...timeline.about.map(([name, value]) => make('span', {}, `${name} ${value}`)));
  document.querySelectorAll('#findings li').forEach((line, number) => {
    line.append(make('button', { type: 'button', onclick: () => jumpTo(findings[number]) }, 'Show'));
  });
  byId('jump').hidden = findings.length === 0;
  byId('jump').textContent = findings.length > 1 ? `Jump to a violation (${findings.length})` : 'Jump to the violation';
}

describeRun();
buildFilters();
buildHelp();
wire();
refilter();
dress();
fit();
selectionChanged(true);
if (!recall() && findings.length > 0 && lastTime > 60e6) jumpTo(findings[0]);
