// Alpine reads every global once when it is loaded. To read one of a deprecated interface counts as its
// use, and is reported by the browser; nothing here needs these.
for (const name of ["FencedFrameConfig", "HTMLFencedFrameElement", "Fence", "fence"]) delete globalThis[name];
