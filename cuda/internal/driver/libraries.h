// What was found of NVIDIA's libraries: a library's name, or what dlopen said of the first that was tried; the driver's version, as 12040.
enum { adjoint_said = 512 };
extern int adjoint_driver_status, adjoint_driver_found, adjoint_driver_version, adjoint_nvrtc_found, adjoint_cublas_found;
extern char adjoint_driver_said[adjoint_said], adjoint_nvrtc_said[adjoint_said], adjoint_cublas_said[adjoint_said];
void adjoint_open_driver(void);
void adjoint_open_nvrtc(void);
void adjoint_open_cublas(void);
