/** Frames as GIF, in the browser that made them: one palette for all, and in each only what has changed. */
import { applyPalette, GIFEncoder, quantize } from "gifenc";

const TRANSPARENT = 0;

globalThis.encodeFrames = async (frames) => {
  const images = [];
  for (const { png } of frames) {
    const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    context.drawImage(bitmap, 0, 0);
    images.push(context.getImageData(0, 0, bitmap.width, bitmap.height));
  }
  const sample = new Uint8Array(3 * images[0].data.length);
  for (const [part, at] of [0, images.length >> 1, images.length - 1].entries())
    sample.set(images[at].data, part * images[0].data.length);
  const colours = [[255, 0, 255], ...quantize(sample, 127)];
  const gif = GIFEncoder();
  let before = null;
  for (const [at, { data, width, height }] of images.entries()) {
    const own = applyPalette(data, colours.slice(1)).map((index) => index + 1);
    const shown =
      before === null ? own : own.map((index, pixel) => (index === before[pixel] ? TRANSPARENT : index));
    gif.writeFrame(shown, width, height, {
      ...(at === 0 ? { palette: colours } : {}),
      delay: frames[at].ms,
      transparent: before !== null,
      transparentIndex: TRANSPARENT,
      dispose: 1,
    });
    before = own;
  }
  gif.finish();
  const bytes = gif.bytes();
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192)
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
};
