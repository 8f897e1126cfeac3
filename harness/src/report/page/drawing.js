// Paints the time line: overview, ruler and lanes. Remembers where it painted what, so that a pointer finds it.

const overview = document.getElementById('overview');
const ruler = document.getElementById('ruler');
const scroller = document.getElementById('scroll');
const canvas = document.getElementById('lanes');
const depth = document.getElementById('depth');
const GUTTER = 156;
const BAR = 14;
const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
const CHARACTER = 6.1;

const view = { from: 0, to: lastTime };
const marked = { selected: null, hovered: null, finding: null, pointer: null, drag: null };
let found = () => true;
let hits = [];
let colours = {};
const hatches = new Map();

/** The colour behind the name of a style property. */
function colour(name) {
  return (colours[name] ??= getComputedStyle(document.documentElement).getPropertyValue(name).trim());
}
function forgetColours() { colours = {}; hatches.clear(); }

const widthOf = () => Math.max(scroller.clientWidth - GUTTER, 50);
const xOf = (time) => GUTTER + ((time - view.from) / (view.to - view.from)) * widthOf();
const timeOf = (x) => view.from + ((x - GUTTER) / widthOf()) * (view.to - view.from);

/** A canvas of this size in sharp pixels, ready to paint in style pixels. */
function sized(element, height) {
  const sharp = window.devicePixelRatio || 1;
  const width = scroller.clientWidth;
  if (element.width !== Math.round(width * sharp) || element.height !== Math.round(height * sharp)) {
    element.width = Math.round(width * sharp);
    element.height = Math.round(height * sharp);
    element.style.width = `${width}px`;
    element.style.height = `${height}px`;
  }
  const paint = element.getContext('2d');
  paint.setTransform(sharp, 0, 0, sharp, 0, 0);
  paint.clearRect(0, 0, width, height);
  paint.font = FONT;
  paint.textBaseline = 'middle';
  return paint;
}

/** Slanting stripes of one colour. */
function hatch(paint, name) {
  if (!hatches.has(name)) {
    const tile = document.createElement('canvas');
    tile.width = tile.height = 7;
    const pen = tile.getContext('2d');
    pen.strokeStyle = colour(name);
    pen.lineWidth = 2;
    for (const shift of [-7, 0, 7]) { pen.beginPath(); pen.moveTo(shift - 1, 8); pen.lineTo(shift + 8, -1); pen.stroke(); }
    hatches.set(name, paint.createPattern(tile, 'repeat'));
  }
  return hatches.get(name);
}

function words(paint, text, x, y, room) {
  const most = Math.floor(room / CHARACTER);
  if (most < 3) return;
  paint.fillText(text.length <= most ? text : `${text.slice(0, most - 1)}…`, x, y);
}

function box(paint, x, y, width, height, radius = 3) {
  paint.beginPath();
  paint.roundRect(x, y, width, height, Math.min(radius, width / 2));
}

/** Where a bar is on the screen, cut to what is in view; null when it is not. */
function extent(from, to) {
  const left = Math.max(xOf(from), GUTTER - 4);
  const right = Math.min(xOf(to), scroller.clientWidth + 4);
  return right < GUTTER - 3 || left > scroller.clientWidth + 3 ? null : { left, width: Math.max(right - left, 2.5) };
}

function paintBar(paint, item, y, tall) {
  const where = extent(item.at, endOf(item));
  if (!where) return;
  const { left, width } = where;
  const top = y + (ROW - BAR) / 2;
  const own = item.kind === 'request' ? answerColour(item) : item.kind === 'fault' ? '--warn' : nodeColour(item.node);
  const full = paint.globalAlpha;
  let ink = '--on-node';
  let room = where;
  if (item.kind === 'epoch') {
    const widest = paintPhases(paint, item, top, own, full);
    room = widest.where;
    ink = widest.phase === 'mounted' ? '--on-node' : '--ink';
  } else {
    const soft = item.kind === 'request' || item.kind === 'fault';
    paint.globalAlpha = soft ? full * 0.2 : full;
    paint.fillStyle = colour(own);
    box(paint, left, top, width, BAR);
    paint.fill();
    if (item.kind === 'fault') { paint.globalAlpha = full * 0.35; paint.fillStyle = hatch(paint, own); paint.fill(); }
    paint.globalAlpha = full;
    if (soft) {
      paint.strokeStyle = colour(own);
      paint.lineWidth = 1;
      paint.setLineDash(item.end === undefined ? [3, 3] : []);
      box(paint, left + 0.5, top + 0.5, Math.max(width - 1, 1), BAR - 1);
      paint.stroke();
      paint.setLineDash([]);
      ink = '--ink';
    }
    if (item.stopped !== undefined) {
      paintTail(paint, item, top, full);
      room = extent(item.at, item.stopped) ?? { left, width: 0 };
    }
  }
  if (item.end === undefined && width > 6) fade(paint, left + width, top);
  const inner = Math.max(room.left, GUTTER) + 5;
  paint.fillStyle = colour(ink);
  words(paint, label(item), inner, top + BAR / 2 + 0.5, room.left + room.width - inner - 4);
  hits.push({ item, x: left, y, width, height: tall });
}

/** Phases of an epoch: striped while fencing, pale while attaching or releasing, full when mounted. Gives the widest. */
function paintPhases(paint, item, top, own, full) {
  const phases = item.phases.length > 0 ? item.phases : [{ at: item.at, phase: 'mounted' }];
  let widest = { where: { left: 0, width: 0 } };
  phases.forEach(({ at, phase }, number) => {
    const where = extent(at, phases[number + 1]?.at ?? endOf(item));
    if (!where) return;
    paint.globalAlpha = phase === 'mounted' ? full : full * 0.28;
    paint.fillStyle = colour(own);
    box(paint, where.left, top, where.width, BAR, 2);
    paint.fill();
    paint.globalAlpha = full;
    if (phase === 'fencing') { paint.fillStyle = hatch(paint, own); paint.fill(); }
    paint.strokeStyle = colour(own);
    paint.lineWidth = 1;
    box(paint, where.left + 0.5, top + 0.5, Math.max(where.width - 1, 1), BAR - 1, 2);
    paint.stroke();
    if (where.width > widest.where.width) widest = { where, phase };
  });
  return widest;
}

/** The rest of a mount whose filesystem was shut down or aborted: nothing more is written back. */
function paintTail(paint, item, top, full) {
  const where = extent(item.stopped, endOf(item));
  if (!where) return;
  paint.globalAlpha = full * 0.85;
  paint.fillStyle = hatch(paint, '--surface');
  paint.fillRect(where.left, top, where.width, BAR);
  paint.globalAlpha = full;
}

/** The open end of something that lasted longer than the run. */
function fade(paint, right, top) {
  paint.fillStyle = colour('--surface');
  for (let tooth = 0; tooth < 3; tooth += 1) {
    paint.beginPath();
    paint.moveTo(right + 0.5, top + tooth * 5 - 1); paint.lineTo(right - 3.5, top + tooth * 5 + 1.8); paint.lineTo(right + 0.5, top + tooth * 5 + 4.2);
    paint.fill();
  }
}

function paintMark(paint, item, y, tall, last) {
  const x = xOf(item.at);
  if (x < GUTTER - 6 || x > scroller.clientWidth + 6) return;
  const middle = tall > ROW ? y + tall - 8 : y + ROW / 2;
  hits.push({ item, x: x - 5, y: middle - 8, width: 10, height: 16 });
  const crowd = `${item.sort} ${item.node}`;
  const near = item.sort === 'accepted' ? 3 : 1.2;
  if (Math.abs((last.get(crowd) ?? -99) - x) < near && item !== marked.selected && !culprits.has(item)) return;
  last.set(crowd, x);
  if (culprits.has(item)) {
    paint.beginPath(); paint.arc(x, middle, 8, 0, 7);
    paint.fillStyle = colour('--bad-soft'); paint.fill();
    paint.lineWidth = 2; paint.strokeStyle = colour('--bad'); paint.stroke();
  }
  if (item.sort === 'refused') paintRefused(paint, x, middle);
  else if (item.sort === 'accepted') {
    paint.beginPath(); paint.arc(x, middle, 3.8, 0, 7);
    paint.fillStyle = colour(nodeColour(item.node)); paint.fill();
    paint.lineWidth = 1.2; paint.strokeStyle = colour('--surface'); paint.stroke();
  } else if (item.kind === 'fault') {
    paint.fillStyle = colour('--warn');
    paint.beginPath(); paint.moveTo(x, middle - 6); paint.lineTo(x + 6, middle + 5); paint.lineTo(x - 6, middle + 5); paint.fill();
  } else {
    const bad = item.kind === 'command' && item.outcome !== 'done';
    paint.fillStyle = colour(bad ? '--warn' : item.kind === 'command' ? nodeColour(item.node) : '--faint');
    paint.fillRect(x - 1, middle - (bad ? 7 : 5), 2, bad ? 14 : 10);
  }
}

function paintRefused(paint, x, y) {
  paint.lineCap = 'round';
  for (const [name, width] of [['--surface', 5], ['--bad', 2.2]]) {
    paint.strokeStyle = colour(name);
    paint.lineWidth = width;
    paint.beginPath();
    paint.moveTo(x - 4, y - 4); paint.lineTo(x + 4, y + 4); paint.moveTo(x + 4, y - 4); paint.lineTo(x - 4, y + 4);
    paint.stroke();
  }
  paint.lineCap = 'butt';
}

function paintRow(paint, row) {
  const layer = (item) => (isBar(item) ? 0 : item.sort === 'refused' || culprits.has(item) ? 2 : 1);
  const last = new Map();
  for (const painted of [0, 1, 2]) {
    for (const item of row.items) {
      if (item.at > view.to) break;
      if (layer(item) !== painted) continue;
      paint.globalAlpha = found(item) ? 1 : 0.13;
      if (painted > 0) paintMark(paint, item, row.y, row.tall, last); else paintBar(paint, item, row.y, row.tall);
    }
  }
  paint.globalAlpha = 1;
}

function paintLane(paint, lane) {
  const width = scroller.clientWidth;
  paint.fillStyle = colour('--lane');
  paint.fillRect(0, lane.y, width, HEAD - 2);
  for (const trouble of lane.troubles) {
    const where = extent(trouble.at, endOf(trouble));
    if (!where) continue;
    paint.fillStyle = colour('--warn-soft');
    paint.fillRect(where.left, lane.y + HEAD - 2, where.width, lane.height - HEAD - 2);
  }
  if (!folded.has(lane.name)) {
    paint.fillStyle = colour('--soft');
    for (const row of lane.rows) paint.fillRect(GUTTER, row.y + row.tall - 0.5, width, 0.7);
    lane.rows.filter(isInSight).forEach((row) => paintRow(paint, row));
  } else {
    paint.globalAlpha = 0.6;
    lane.rows.forEach((row) => paintRow(paint, row));
  }
}

/** The names at the left, over whatever reached under them. */
function paintGutter(paint, lane) {
  paint.fillStyle = colour('--surface');
  paint.fillRect(0, lane.y + HEAD - 2, GUTTER, lane.height - HEAD + 2);
  paint.fillStyle = colour('--lane');
  paint.fillRect(0, lane.y, GUTTER, HEAD - 2);
  paint.fillStyle = colour('--faint');
  paint.fillText(folded.has(lane.name) ? '▸' : '▾', 8, lane.y + HEAD / 2 - 1);
  if (lane.colour) { paint.fillStyle = colour(lane.colour); box(paint, 22, lane.y + 5, 11, 11); paint.fill(); }
  paint.fillStyle = colour('--ink');
  paint.font = `600 12.5px ${FONT.slice(5)}`;
  words(paint, lane.name, lane.colour ? 39 : 22, lane.y + HEAD / 2 - 1, GUTTER - 44);
  paint.font = FONT;
  if (folded.has(lane.name)) return;
  for (const row of lane.rows) {
    if (!row.title) continue;
    paint.fillStyle = colour('--dim');
    if (row.colour) { paint.fillStyle = colour(row.colour); paint.fillRect(22, row.y + 5, 3, row.tall - 10); paint.fillStyle = colour('--dim'); }
    words(paint, row.title, row.colour ? 30 : 22, row.y + row.tall / 2, GUTTER - 34);
  }
}

function vertical(paint, time, name, height, dash = []) {
  const x = xOf(time);
  if (x < GUTTER || x > scroller.clientWidth) return;
  paint.strokeStyle = colour(name);
  paint.lineWidth = name === '--bad' ? 1.6 : 1;
  paint.setLineDash(dash);
  paint.beginPath(); paint.moveTo(x, 0); paint.lineTo(x, height); paint.stroke();
  paint.setLineDash([]);
}

function paintSelection(paint) {
  for (const [item, name] of [[marked.hovered, '--dim'], [marked.selected, '--accent']]) {
    const row = item && rowOf.get(item);
    if (!row) continue;
    const where = isBar(item) ? extent(item.at, endOf(item)) : { left: xOf(item.at) - 6, width: 12 };
    if (!where || where.left + where.width < GUTTER) continue;
    paint.strokeStyle = colour(name);
    paint.lineWidth = 2;
    const low = !isBar(item) && row.tall > ROW;
    box(paint, where.left - 2, low ? row.y + row.tall - 15.5 : row.y + 1.5, where.width + 4, low ? 15 : ROW - 3, 5);
    paint.stroke();
  }
}

/** Lanes are painted only where they are in view: a canvas as deep as all of them would be too large for a browser. */
function paintLanes() {
  const [top, deep] = [scroller.scrollTop, scroller.clientHeight];
  depth.style.height = `${lanes.height}px`;
  const paint = sized(canvas, deep);
  canvas.style.marginBottom = `${-deep}px`;
  paint.translate(0, -top);
  hits = [];
  const inSight = lanes.filter((lane) => lane.y < top + deep && lane.y + lane.height > top);
  const height = Math.max(lanes.height, top + deep);
  timeline.chapters.forEach((chapter) => vertical(paint, chapter.at, chapter.failed ? '--bad' : '--line', height, [2, 3]));
  inSight.forEach((lane) => paintLane(paint, lane));
  findings.forEach((finding) => vertical(paint, finding.at, '--bad', height));
  if (marked.pointer !== null) vertical(paint, marked.pointer, '--faint', height, [1, 3]);
  paintSelection(paint);
  inSight.forEach((lane) => paintGutter(paint, lane));
  paint.fillStyle = colour('--line');
  paint.fillRect(GUTTER - 1, 0, 1, height);
}

function isInSight(row) {
  return row.y < scroller.scrollTop + scroller.clientHeight && row.y + row.tall > scroller.scrollTop;
}
