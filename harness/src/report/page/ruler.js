// Paints what is above the lanes: the ruler with chapters and violations, and the overview of the whole run.

const OVERVIEW = 44;
const RULER = 46;

/** A round step that leaves room for its label. */
function roundStep() {
  const rough = ((view.to - view.from) / widthOf()) * 90;
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough) ?? power * 10;
}

function paintRuler() {
  const paint = sized(ruler, RULER);
  const step = roundStep();
  for (let time = Math.ceil(view.from / step) * step; time <= view.to; time += step) {
    const x = xOf(time);
    paint.fillStyle = colour('--line');
    paint.fillRect(x, RULER - 7, 1, 7);
    paint.fillStyle = colour('--dim');
    paint.textAlign = 'center';
    paint.fillText(seconds(time, step), Math.max(x, GUTTER + 20), RULER - 14);
  }
  paint.textAlign = 'left';
  paintChapters(paint);
  findings.forEach((finding) => paintFlag(paint, finding));
  paint.fillStyle = colour('--surface');
  paint.fillRect(0, 0, GUTTER, RULER);
  paint.fillStyle = colour('--dim');
  words(paint, `${seconds(view.from)} – ${seconds(view.to)}`, 12, RULER - 14, GUTTER - 14);
  words(paint, `${span(Math.round(view.to - view.from))} in view`, 12, 14, GUTTER - 14);
  if (marked.drag?.zoom) paintStretch(paint, marked.drag);
  if (marked.pointer !== null) paintPointerTime(paint);
}

function paintPointerTime(paint) {
  const x = xOf(marked.pointer);
  if (x < GUTTER) return;
  const text = seconds(marked.pointer, (view.to - view.from) / widthOf() > 500 ? 1000 : 10);
  const width = paint.measureText(text).width + 10;
  const left = Math.min(Math.max(x - width / 2, GUTTER), scroller.clientWidth - width);
  paint.fillStyle = colour('--ink');
  box(paint, left, RULER - 22, width, 17, 4);
  paint.fill();
  paint.fillStyle = colour('--surface');
  paint.fillText(text, left + 5, RULER - 13);
}

function paintStretch(paint, drag) {
  paint.fillStyle = colour('--accent');
  paint.globalAlpha = 0.25;
  paint.fillRect(Math.min(drag.from, drag.to), 0, Math.abs(drag.to - drag.from), RULER);
  paint.globalAlpha = 1;
}

/** Chapters: numbered where there is no room for their words. */
function paintChapters(paint) {
  timeline.chapters.forEach((chapter, number) => {
    const next = timeline.chapters[number + 1]?.at ?? lastTime;
    const x = xOf(chapter.at);
    const right = Math.min(xOf(next), scroller.clientWidth);
    if (right < GUTTER || x > scroller.clientWidth || right - x < 3) return;
    const left = Math.max(x, GUTTER);
    paint.fillStyle = colour(chapter.failed ? '--bad' : '--soft');
    box(paint, left + 0.5, 4, right - left - 1.5, 17, 4);
    paint.fill();
    paint.fillStyle = colour(chapter.failed ? '--surface' : '--dim');
    words(paint, chapter.text, left + 5, 13, right - left - 8);
    if (right - left < 22) words(paint, '…', left + 3, 13, 19);
  });
}

function paintFlag(paint, finding) {
  const x = xOf(finding.at);
  if (x < GUTTER || x > scroller.clientWidth) return;
  const width = paint.measureText(finding.code).width + 10;
  const left = Math.min(x, scroller.clientWidth - width);
  paint.fillStyle = colour('--bad');
  paint.fillRect(x - 0.8, 4, 1.6, RULER);
  box(paint, left, 4, width, 17, 3);
  paint.fill();
  paint.fillStyle = colour('--surface');
  paint.fillText(finding.code, left + 5, 13);
}

const overviewX = (time) => GUTTER + (time / lastTime) * widthOf();
const overviewTime = (x) => ((x - GUTTER) / widthOf()) * lastTime;

/** How much happened when, who owned the volumes, what was refused, and which part is in view. */
function paintOverview() {
  const paint = sized(overview, OVERVIEW);
  const width = widthOf();
  const buckets = new Uint32Array(Math.ceil(width / 3) + 1);
  for (const item of shown) buckets[Math.min(buckets.length - 1, Math.max(0, Math.floor((item.at / lastTime) * width / 3)))] += 1;
  const most = buckets.reduce((most, count) => Math.max(most, count), 1);
  paint.fillStyle = colour('--faint');
  paint.globalAlpha = 0.45;
  buckets.forEach((count, place) => {
    const height = Math.sqrt(count / most) * 20;
    if (count > 0) paint.fillRect(GUTTER + place * 3, 26 - height, 2, height);
  });
  paint.globalAlpha = 1;
  for (const item of shown) {
    if (item.kind === 'epoch') { paint.fillStyle = colour(nodeColour(item.node)); paint.fillRect(overviewX(item.at), 29, Math.max(1, overviewX(endOf(item)) - overviewX(item.at)), 4); }
    else if (item.kind === 'fault') { paint.fillStyle = colour('--warn'); paint.fillRect(overviewX(item.at), 35, Math.max(2, overviewX(endOf(item)) - overviewX(item.at)), 2); }
    else if (item.sort === 'refused') { paint.fillStyle = colour('--bad'); paint.fillRect(overviewX(item.at) - 0.5, 38, 1.5, 4); }
  }
  paint.fillStyle = colour('--bad');
  for (const finding of findings) paint.fillRect(overviewX(finding.at) - 1, 2, 2, OVERVIEW);
  const [left, right] = [overviewX(view.from), overviewX(view.to)];
  paint.fillStyle = colour('--surface');
  paint.globalAlpha = 0.68;
  paint.fillRect(GUTTER, 0, left - GUTTER, OVERVIEW);
  paint.fillRect(right, 0, scroller.clientWidth - right, OVERVIEW);
  paint.globalAlpha = 1;
  paint.strokeStyle = colour('--accent');
  paint.lineWidth = 1.5;
  paint.strokeRect(left, 1, Math.max(right - left, 2), OVERVIEW - 2);
  paint.fillStyle = colour('--dim');
  words(paint, 'Whole run', 12, 13, GUTTER - 14);
  words(paint, `${seconds(lastTime)}, ${shown.length} shown`, 12, 30, GUTTER - 14);
}
