// What is beside and above the time line: filters, details, the list, tips and help.

const byId = (id) => document.getElementById(id);

/** An element with text and children; texts are never read as markup. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value); else if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}
function swatch(name, round = false) {
  const element = make('span', { class: 'swatch', 'aria-hidden': 'true' });
  element.style.background = `var(${name})`;
  if (round) element.style.borderRadius = '99px';
  return element;
}

/** A group of switches; many of them go into a menu. */
function filterGroup(title, set, entries) {
  const chips = entries.map(({ key, name, count, about, colour: tint, sign }) => {
    const chip = make('button', { type: 'button', class: 'chip', title: about, 'aria-pressed': String(!set.has(key)) });
    if (tint) chip.append(swatch(tint));
    if (sign) chip.append(make('span', { class: `sign ${key}`, 'aria-hidden': 'true' }, sign));
    chip.append(make('span', { class: 'name' }, name), make('span', { class: 'count' }, String(count)));
    chip.addEventListener('click', () => { if (!set.delete(key)) set.add(key); refilter(); });
    chip.addEventListener('dblclick', () => { entries.forEach((entry) => set.add(entry.key)); set.delete(key); refilter(); });
    chip.update = () => chip.setAttribute('aria-pressed', String(!set.has(key)));
    return chip;
  });
  const box = make('fieldset', {}, make('legend', {}, title));
  if (chips.length > 10) box.append(make('details', { class: 'menu' }, make('summary', {}, `${chips.length} to choose from`), make('div', {}, ...chips)));
  else box.append(...chips);
  return { box, chips };
}

let chips = [];
function buildFilters() {
  const count = (wanted) => items.reduce((sum, item) => sum + (wanted(item) ? 1 : 0), 0);
  const kinds = Object.entries(KINDS)
    .map(([key, kind]) => ({ key, name: kind.name, about: `${kind.about}; double click: only these`, count: count((item) => item.sort === key), sign: kind.sign }))
    .filter((kind) => kind.count > 0);
  const nodes = timeline.nodes.map((node) => ({ key: node, name: node, about: 'double click: only this node', count: count((item) => item.node === node), colour: nodeColour(node) }));
  const volumes = timeline.volumes.map((volume) => ({ key: volume.id, name: volume.name, about: `${volume.id}; double click: only this volume`, count: count((item) => item.volume === volume.id) }));
  const groups = [['Show', hidden.kind, kinds], ['Nodes', hidden.node, nodes], ['Volumes', hidden.volume, volumes]];
  for (const [title, set, entries] of groups) {
    if (entries.length < 2) continue;
    const group = filterGroup(title, set, entries);
    chips.push(...group.chips);
    byId('filters').append(group.box);
  }
}
function refilter() {
  chips.forEach((chip) => chip.update());
  arrange();
  if (marked.selected && !rowOf.has(marked.selected)) select(null);
  byId('next-refused').disabled = !shown.some((item) => item.sort === 'refused');
  viewChanged();
  countMatches();
  repaint();
}
function showAll() {
  hidden.node.clear();
  hidden.volume.clear();
  for (const kind of Object.keys(KINDS)) if (KINDS[kind].shown) hidden.kind.delete(kind);
  refilter();
}

let sought = '';
function seek() {
  sought = byId('search').value.trim().toLowerCase();
  found = sought === '' ? () => true : (item) => textOf(item).includes(sought);
  countMatches();
  viewChanged();
  repaint();
}
function countMatches() {
  byId('matches').textContent = sought === '' ? '' : String(shown.filter(found).length);
}

function openTab(name) {
  for (const tab of ['details', 'list']) {
    byId(tab).hidden = tab !== name;
    byId(`tab-${tab}`).setAttribute('aria-selected', String(tab === name));
  }
  if (name === 'list') fillList();
}

const LISTED = 300;
function entry(item) {
  const button = make('button', { type: 'button', title: headline(item), onclick: () => select(item) },
    make('time', {}, seconds(item.at)), swatch(swatchOf(item), true), make('span', { class: 'text' }, headline(item)));
  if (item === marked.selected) button.setAttribute('aria-current', 'true');
  return make('li', {}, button);
}
const inView = () => shown.filter((item) => item.at <= view.to && endOf(item) >= view.from && found(item));

function fillList() {
  const all = inView();
  const rows = make('ol', { class: 'rows' }, ...all.slice(0, LISTED).map(entry));
  if (all.length > LISTED) rows.append(make('li', { class: 'more' }, `and ${all.length - LISTED} more; zoom in to see them`));
  if (all.length === 0) rows.append(make('li', { class: 'more' }, 'Nothing of what is chosen lies in this stretch of time.'));
  byId('list').replaceChildren(rows);
}

let settling;
/** The list and the address follow the view when it rests. */
function viewChanged() {
  clearTimeout(settling);
  settling = setTimeout(() => {
    byId('in-view').textContent = String(inView().length);
    if (!byId('list').hidden) fillList();
    remember();
  }, 120);
}

const NEAR = 6;
/** What happened around an item on the same volume, or on the same node. */
function neighbours(item) {
  const same = item.volume ? (other) => other.volume === item.volume : (other) => other.lane === item.lane;
  const all = shown.filter((other) => same(other) || other === item);
  const place = all.indexOf(item);
  return all.slice(Math.max(0, place - NEAR), place + NEAR + 1);
}

function whenOf(item) {
  if (!isBar(item)) return `at ${exactly(item.at)}`;
  if (item.end === undefined) return `from ${exactly(item.at)}, and still at the end of the run`;
  return `${exactly(item.at)} – ${exactly(item.end)}, ${span(item.end - item.at)}`;
}

function findingDetails(finding) {
  const before = finding.before ?? [];
  const lines = make('pre', { tabindex: '0' });
  before.forEach((line, number) => lines.append(make('span', { class: number === before.length - 1 ? 'last' : '' }, `${line}\n`)));
  const parts = [make('h2', {}, `${finding.code}: ${finding.rule}`), make('p', { class: 'when' }, `broken at ${exactly(finding.at)}`), make('p', {}, finding.explanation)];
  if (before.length > 0) parts.push(make('h3', {}, 'The lines before'), lines);
  return [parts, lines];
}

function itemDetails(item) {
  const list = make('dl');
  for (const row of facts(item)) list.append(make('dt', {}, row.name), make('dd', { class: row.bad ? 'bad' : '' }, row.value));
  return [
    make('h2', {}, headline(item)), make('p', { class: 'when' }, whenOf(item)), list,
    make('h3', {}, item.volume ? `Around it on ${nameOf(item.volume)}` : 'Around it'), make('ol', { class: 'rows' }, ...neighbours(item).map(entry)),
  ];
}

function overviewDetails() {
  const list = make('dl');
  for (const [name, value] of timeline.about) list.append(make('dt', {}, name), make('dd', {}, value));
  const chapters = timeline.chapters.map((chapter) => make('li', {}, make('button', { type: 'button', title: chapter.text, onclick: () => show(chapter.at - 1e5, Math.max(chapter.at + 1e6, (timeline.chapters.find((next) => next.at > chapter.at)?.at ?? lastTime) + 1e5)) },
    make('time', {}, seconds(chapter.at)), swatch(chapter.failed ? '--bad' : '--line', true), make('span', { class: 'text' }, chapter.text))));
  const parts = [make('h2', {}, timeline.title), make('p', { class: 'when' }, `${seconds(lastTime)}, ${items.length} items`), list];
  if (chapters.length > 0) parts.push(make('h3', {}, 'What was done'), make('ol', { class: 'rows' }, ...chapters));
  parts.push(make('p', { class: 'when' }, 'Click on anything for its details.'));
  return parts;
}

function selectionChanged(quietly) {
  const { selected, finding } = marked;
  let lines;
  const parts = [];
  if (finding) {
    const [told, pre] = findingDetails(finding);
    parts.push(...told);
    lines = pre;
    if (selected) parts.push(make('h3', {}, 'The item it speaks of'));
  }
  if (selected) parts.push(...itemDetails(selected));
  if (parts.length === 0) parts.push(...overviewDetails());
  byId('details').replaceChildren(...parts);
  byId('details').scrollTop = 0;
  if (lines) lines.scrollTop = lines.scrollHeight;
  if (finding || byId('list').hidden) openTab('details'); else fillList();
  if (!quietly && selected) byId('said').textContent = `${finding ? `Violation ${finding.code}. ` : ''}${headline(selected)}, ${whenOf(selected)}`;
  remember();
}

/** A few words beside the pointer. */
function tell(item, event) {
  const tip = byId('tip');
  tip.hidden = !item;
  if (!item) return;
  const more = item.answer?.outcome !== 'done' && item.answer?.text ? item.answer.text : item.asked ?? '';
  tip.replaceChildren(make('b', {}, headline(item)), make('span', {}, whenOf(item)), ...(more ? [make('div', {}, more.slice(0, 300))] : []));
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.min(event.clientX + 14, innerWidth - width - 8)}px`;
  tip.style.top = `${event.clientY + 18 + height > innerHeight ? event.clientY - height - 12 : event.clientY + 18}px`;
}

function buildHelp() {
  const keys = make('dl', { class: 'keys' });
  for (const [key, [what]] of Object.entries(KEYS)) keys.append(make('dt', {}, make('kbd', {}, key.replace('Arrow', ''))), make('dd', {}, what));
  keys.append(make('dt', {}, make('kbd', {}, 'Shift Left / Right')), make('dd', {}, 'move the view'));
  const signs = make('dl');
  for (const kind of Object.values(KINDS)) signs.append(make('dt', {}, kind.name), make('dd', {}, kind.about));
  signs.append(make('dt', {}, 'Epoch bars'), make('dd', {}, 'striped: other exports are being removed; pale: attaching or releasing; full: mounted'));
  signs.append(make('dt', {}, 'Mount bars'), make('dd', {}, 'striped: the filesystem was shut down or aborted, nothing more is written back'));
  const close = make('button', { type: 'button', onclick: () => byId('help').close() }, 'Close');
  byId('help').replaceChildren(make('h2', {}, 'How to read this page', close), signs, make('h3', {}, 'Keys'), keys);
}
