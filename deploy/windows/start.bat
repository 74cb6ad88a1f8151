@echo off
rem Counts files and watches over it: start.bat [options of `qanat run metering`]
rem Settings are read from qanat.toml beside this file. Ctrl-C stops it in order.
rem To start it with the system, as an administrator:
rem     schtasks /Create /TN Qanat /SC ONSTART /RU SYSTEM /TR "\"%~f0\""
setlocal
if not exist "%~dp0venv\Scripts\qanat.exe" (
    echo Not installed yet: install.bat
    exit /b 1
)
cd /d "%~dp0"
"%~dp0venv\Scripts\qanat.exe" supervise metering %*
exit /b %ERRORLEVEL%
