// Restores a PNG with a network that AOTInductor compiled, without Python:
//   restore liblfdeblur_ops.so net.pt2 defocused.png restored.png
#include <dlfcn.h>
#include <png.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/torch.h>

#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

// [1, 3, H, W] in [-1, 1], of 8-bit sRGB.
at::Tensor read_png(const char* path) {
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_file(&header, path))
    throw std::runtime_error(path + (": " + std::string(header.message)));
  header.format = PNG_FORMAT_RGB;
  auto pixels = at::empty({header.height, header.width, 3}, at::kByte);
  if (!png_image_finish_read(&header, nullptr, pixels.data_ptr(), 0, nullptr))
    throw std::runtime_error(path + (": " + std::string(header.message)));
  return (pixels.to(at::kFloat) / 127.5 - 1).permute({2, 0, 1}).unsqueeze(0).contiguous();
}

void write_png(const char* path, const at::Tensor& picture) {
  const auto pixels = ((picture[0] + 1) * 127.5).round().clamp(0, 255).to(at::kByte).permute({1, 2, 0}).contiguous();
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.height = pixels.size(0);
  header.width = pixels.size(1);
  header.format = PNG_FORMAT_RGB;
  if (!png_image_write_to_file(&header, path, 0, pixels.data_ptr(), 0, nullptr))
    throw std::runtime_error(path + (": " + std::string(header.message)));
}

int main(int argc, char** argv) try {
  if (argc != 5) {
    std::cerr << "usage: restore liblfdeblur_ops.so net.pt2 defocused.png restored.png\n";
    return 2;
  }
  // Registers the ops that the package calls; before the package is loaded.
  if (!dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL)) throw std::runtime_error(dlerror());
  const c10::InferenceMode no_gradients;
  torch::inductor::AOTIModelPackageLoader net(argv[2]);
  write_png(argv[4], net.run({read_png(argv[3])})[0]);
} catch (const c10::Error& error) {  // an op that is not there, among others; without the backtrace
  std::cerr << error.what_without_backtrace() << '\n';
  return 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
