(() => {
  'use strict';
  const data = JSON.parse(document.getElementById('data').textContent);
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  const touch = window.matchMedia('(pointer: coarse)');
  const button = document.getElementById('theme');
  const paper = 640; // CSS pixels: the width of a printed chart
  const config = {
    displaylogo: false,
    responsive: true,
    displayModeBar: window.matchMedia('(hover: hover)').matches ? 'hover' : false,
    modeBarButtons: [['zoom2d', 'pan2d', 'resetScale2d', 'toImage']], // and none that sends a chart anywhere
  };
  let chosen = null;

  const theme = () => chosen || (system.matches ? 'dark' : 'light');
  const charts = () => data.charts.map((chart) => document.getElementById(chart.id));

  function label() {
    button.textContent = theme() === 'dark' ? 'Light' : 'Dark';
    button.setAttribute('aria-label', `Show the page in ${theme() === 'dark' ? 'light' : 'dark'} colours`);
  }

  function repaint() {
    label();
    for (const chart of charts()) Plotly.relayout(chart, { template: data.themes[theme()] });
  }

  // A finger on a chart scrolls the page; a mouse selects a part to look at.
  function draw({ id, figure }) {
    const layout = { ...figure.layout, template: data.themes[theme()], dragmode: touch.matches ? false : 'zoom' };
    Plotly.newPlot(id, figure.data, layout, config);
  }

  button.hidden = false;
  label();
  button.addEventListener('click', () => {
    chosen = theme() === 'dark' ? 'light' : 'dark';
    document.documentElement.dataset.theme = chosen;
    repaint();
  });
  system.addEventListener('change', repaint);
  data.charts.forEach(draw);

  window.addEventListener('beforeprint', () => {
    for (const chart of charts()) {
      Plotly.relayout(chart, { template: data.themes.light });
      Plotly.relayout(chart, { width: paper, autosize: false });
    }
  });
  window.addEventListener('afterprint', () => {
    for (const chart of charts()) {
      Plotly.relayout(chart, { width: null, autosize: true, template: data.themes[theme()] });
    }
  });
})();
