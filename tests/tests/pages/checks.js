// What must be so of every page of ours. Each check gives its complaints as a list of texts.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const isShown = element => element.checkVisibility() && element.getClientRects().length > 0;
  const name = element => {
    const text = element.textContent.trim().replace(/\s+/g, " ").slice(0, 40);
    return `<${element.tagName.toLowerCase()} class="${element.getAttribute("class") ?? ""}"> ${text}`;
  };

  const structure = () => {
    const faults = [];
    if (!document.documentElement.lang) faults.push("no language");
    if (!document.title) faults.push("no title");
    let level = 0;
    for (const heading of all("h1, h2, h3, h4, h5, h6")) {
      const own = Number(heading.tagName[1]);
      if (own > level + 1) faults.push(`${name(heading)} comes after level ${level}`);
      if (!heading.textContent.trim()) faults.push(`${name(heading)} is empty`);
      level = own;
    }
    if (all("h1").length !== 1) faults.push(`${all("h1").length} headings of level 1`);
    const ids = all("[id]").map(element => element.id);
    for (const id of new Set(ids.filter((id, index) => ids.indexOf(id) !== index))) faults.push(`id ${id} twice`);
    for (const link of all("a[href^='#']")) {
      if (!document.getElementById(decodeURIComponent(link.hash.slice(1)))) faults.push(`${link.hash} leads nowhere`);
    }
    for (const element of all("[aria-labelledby]")) {
      for (const id of element.getAttribute("aria-labelledby").split(/\s+/)) {
        if (!document.getElementById(id)?.textContent.trim()) faults.push(`${name(element)}: no label ${id}`);
      }
    }
    for (const table of all("table")) {
      if (!table.caption?.textContent.trim()) faults.push(`${name(table)}: no caption`);
      for (const cell of all("th", table)) if (!cell.scope) faults.push(`${name(cell)}: no scope`);
      const width = table.tHead.rows[0].cells.length;
      for (const row of all("tr", table)) if (row.cells.length !== width) faults.push(`${name(row)}: not ${width} cells`);
    }
    const skip = document.querySelector("a.skip");
    skip?.focus();
    if (!skip || skip.getBoundingClientRect().top < 0) faults.push("no link past the beginning shows when it has the focus");
    skip?.blur();
    return faults;
  };

  const charts = () => {
    const faults = [];
    for (const figure of all("figure.chart")) {
      const drawings = all("svg.chart", figure).filter(isShown);
      if (drawings.length !== 1) faults.push(`${figure.id}: ${drawings.length} drawings`);
      for (const drawing of drawings) {
        for (const part of ["title", "desc"]) {
          if (!drawing.querySelector(part)?.textContent.trim()) faults.push(`${figure.id}: no ${part}`);
        }
        const lines = all(".line", drawing);
        if (lines.length !== all("thead th", figure).length - 1) faults.push(`${figure.id}: ${lines.length} lines`);
        for (const line of lines) {
          const boxes = all("path", line).map(path => path.getBoundingClientRect());
          if (!boxes.some(box => box.width + box.height > 0)) faults.push(`${figure.id}: ${name(line)} is not there`);
        }
        const named = all(".line text", drawing).length;
        const legend = all(".legend li:not(.c-gap)", figure).filter(isShown).length;
        if (Math.max(named, legend) !== lines.length) faults.push(`${figure.id}: ${named} names, ${legend} in the legend`);
      }
    }
    return faults;
  };

  // Labels of charts: large enough, within the page, and none over another.
  const labels = least => {
    const faults = [];
    for (const drawing of all("svg.chart").filter(isShown)) {
      const scale = drawing.getScreenCTM().a;
      const boxes = all("text", drawing).map(text => [text, text.getBoundingClientRect()]);
      boxes.forEach(([text, box], index) => {
        const size = parseFloat(getComputedStyle(text).fontSize) * scale;
        if (size < least) faults.push(`${name(text)} is ${size.toFixed(1)} px`);
        if (box.left < 0 || box.right > document.documentElement.clientWidth) faults.push(`${name(text)} sticks out`);
        for (const [other, its] of boxes.slice(index + 1)) {
          const wide = Math.min(box.right, its.right) - Math.max(box.left, its.left);
          // Boxes have room above and below their letters.
          const high = Math.min(box.bottom, its.bottom) - Math.max(box.top, its.top);
          if (wide > 1 && high > 0.35 * Math.min(box.height, its.height)) {
            faults.push(`${drawing.closest("figure").id}: ${name(text)} over ${name(other)}`);
          }
        }
      });
    }
    return faults;
  };

  const width = () => {
    const faults = [];
    const page = document.documentElement;
    if (page.scrollWidth > page.clientWidth) faults.push(`the page is ${page.scrollWidth} wide`);
    for (const element of all("body *").filter(isShown)) {
      if (element.closest(".scroll, .skip, svg")) continue;
      if (element.getBoundingClientRect().right > page.clientWidth + 0.5) faults.push(`${name(element)} sticks out`);
    }
    return faults;
  };

  // Channels as parts of 1, and opacity.
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const colour = text => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [red / 255, green / 255, blue / 255, alpha / 255];
  };
  const over = (front, back) => [0, 1, 2].map(i => front[i] * front[3] + back[i] * (1 - front[3])).concat(1);
  const light = channels => {
    const [red, green, blue] = channels.map(c => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ratio = (a, b) => {
    const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = element => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(colour(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((back, front) => over(front, back), colour("white"));
  };

  // The colour of a variable, whatever it is made of.
  const variable = (element, name) => {
    const probe = element.appendChild(document.createElement("i"));
    probe.style.color = `var(${name})`;
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };

  // Of text 4.5 at least, of lines 3. A page has that many texts at least.
  const contrast = (least = 20) => {
    const faults = [];
    const check = (element, front, back, enough) => {
      const found = ratio(over(colour(front), back), back);
      if (found < enough) faults.push(`${name(element)}: ${found.toFixed(2)}`);
    };
    let count = 0;
    for (const element of all("body *").filter(isShown)) {
      // Texts for readers of the screen are not seen.
      if (element.closest(".hidden")) continue;
      const style = getComputedStyle(element);
      const hasText = [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
      if (element.closest("svg")) {
        if (element.tagName === "text") {
          const box = element.closest(".flag")?.querySelector("rect");
          const gap = element.classList.contains("unseen") ? element.closest("svg").querySelector("rect.gap") : null;
          const under = box ?? gap;
          check(element, style.fill, under ? colour(getComputedStyle(under).fill) : ground(element), 4.5);
          count += 1;
        } else if (element.classList.contains("curve")) {
          check(element, style.stroke, ground(element), 3);
        }
      } else if (hasText) {
        check(element, style.color, ground(element), 4.5);
        const cell = element.closest("td.bar");
        if (cell) check(element, style.color, colour(variable(cell, "--bar")), 4.5);
        count += 1;
      }
    }
    if (count < least) faults.push(`only ${count} texts were looked at`);
    return faults;
  };

  // As it is laid out for paper, of the height given.
  const print = height => {
    const faults = [];
    for (const element of all("details, .skip")) if (isShown(element)) faults.push(`${name(element)} is printed`);
    for (const scroll of all(".scroll").filter(isShown)) {
      if (scroll.scrollWidth > scroll.clientWidth + 1) faults.push(`${name(scroll)} is cut`);
    }
    for (const element of all("figure, tr, .finding:not(:has(figure))").filter(isShown)) {
      if (getComputedStyle(element).breakInside !== "avoid") faults.push(`${name(element)} may be cut`);
      if (element.getBoundingClientRect().height > height) faults.push(`${name(element)} is higher than a page`);
    }
    if (light(ground(document.body)) < 0.9) faults.push("the paper is dark");
    for (const link of all("main a").filter(isShown)) {
      if (getComputedStyle(link).color !== getComputedStyle(link.parentElement).color) faults.push(`${name(link)} is coloured`);
    }
    return faults;
  };

  return { structure, charts, labels, width, contrast, print };
})()
